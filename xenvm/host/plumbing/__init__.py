"""Back ends in process: loop devices, bridges, and the hotplug scripts for those who want them."""
