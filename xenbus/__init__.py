"""XenStore and XenBus, a library of its own: it knows nothing of toolstacks."""
