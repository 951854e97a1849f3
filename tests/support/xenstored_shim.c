/*
 * Lets a real xenstored run where there is no Xen: for measurements, and as the judge of our own server.
 *
 * Preloaded into the daemon, it stands in for the calls that ask the hypervisor. The folder XENSTORED_SHIM has the
 * world: domain N exists while the file domain-N does, which is also the page of its ring; it has shut down once there
 * is a file shutdown-N. A datagram with a port number to the socket "events" is an event for the daemon (1 is
 * VIRQ_DOM_EXC, 100 + N domain N's channel); a notification goes as a datagram to the socket guest-N.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xenctrl.h>

#define VIRQ_PORT 1
#define FIRST_PORT 100

static int handle;
static int events = -1;

/* The daemon ends with the process that started it, and cannot fill the disk. */
__attribute__((constructor)) static void bound(void)
{
    struct rlimit files = { 64 << 20, 64 << 20 };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_FSIZE, &files);
}

static const char *in_folder(char *path, size_t size, const char *name, unsigned number)
{
    snprintf(path, size, "%s/%s-%u", getenv("XENSTORED_SHIM"), name, number);
    return path;
}

static struct sockaddr_un address(const char *name, unsigned number)
{
    struct sockaddr_un result = { .sun_family = AF_UNIX };

    in_folder(result.sun_path, sizeof(result.sun_path), name, number);
    return result;
}

xc_interface *xc_interface_open(xentoollog_logger *a, xentoollog_logger *b, unsigned flags)
{
    return (xc_interface *)&handle;
}

int xc_interface_close(xc_interface *xch)
{
    return 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned int max, xc_dominfo_t *info)
{
    char path[4096];

    if (first && access(in_folder(path, sizeof(path), "domain", first), F_OK))
        return 0;
    memset(info, 0, sizeof(*info));
    info->domid = first;
    info->shutdown = !access(in_folder(path, sizeof(path), "shutdown", first), F_OK);
    return 1;
}

void *xenevtchn_open(void *logger, unsigned flags)
{
    struct sockaddr_un own = address("events", 0);

    events = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(events, (struct sockaddr *)&own, sizeof(own)))
        return NULL;
    return &handle;
}

int xenevtchn_fd(void *xce)
{
    return events;
}

int xenevtchn_bind_virq(void *xce, unsigned virq)
{
    return VIRQ_PORT;
}

int xenevtchn_bind_interdomain(void *xce, uint32_t domid, uint32_t port)
{
    return FIRST_PORT + domid;
}

int xenevtchn_notify(void *xce, uint32_t port)
{
    struct sockaddr_un guest;

    if (port >= FIRST_PORT) {
        guest = address("guest", port - FIRST_PORT);
        sendto(events, "", 1, MSG_DONTWAIT, (struct sockaddr *)&guest, sizeof(guest));
    }
    return 0;
}

int xenevtchn_unmask(void *xce, uint32_t port)
{
    return 0;
}

int xenevtchn_unbind(void *xce, uint32_t port)
{
    return 0;
}

int xenevtchn_pending(void *xce)
{
    uint32_t port;

    return recv(events, &port, sizeof(port), 0) == sizeof(port) ? (int)port : VIRQ_PORT;
}

void *xengnttab_open(void *logger, unsigned flags)
{
    return &handle;
}

int xengnttab_set_max_grants(void *xgt, uint32_t count)
{
    return 0;
}

void *xengnttab_map_grant_ref(void *xgt, uint32_t domid, uint32_t ref, int prot)
{
    char path[4096];
    void *page;
    int fd = open(in_folder(path, sizeof(path), "domain", domid), O_RDWR);

    if (fd < 0)
        return NULL;
    page = mmap(NULL, 4096, prot, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

int xengnttab_unmap(void *xgt, void *page, uint32_t count)
{
    return munmap(page, 4096);
}

/* /proc/xen/xsd_port and /proc/xen/xsd_kva are files in the folder. */
int open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    char local[4096];
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!real)
        real = dlsym(RTLD_NEXT, "open");
    if (!strncmp(path, "/proc/xen/xsd_", 14)) {
        snprintf(local, sizeof(local), "%s/%s", getenv("XENSTORED_SHIM"), path + 10);
        path = local;
    }
    return real(path, flags, mode);
}
