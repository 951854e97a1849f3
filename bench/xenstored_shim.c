/*
 * Lets a real xenstored run where there is no Xen, for measurements over its socket.
 *
 * Preloaded into the daemon, it stands in for the few calls that ask the hypervisor: every domain exists, no event
 * ever comes, grants are not mapped; dom0's ring is an ordinary file. Guests cannot connect.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xenctrl.h>

static int handle;
static int events = -1;

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
    memset(info, 0, sizeof(*info));
    info->domid = first;
    return 1;
}

void *xenevtchn_open(void *logger, unsigned flags)
{
    events = eventfd(0, 0);
    return &handle;
}

int xenevtchn_fd(void *xce)
{
    return events;
}

int xenevtchn_bind_virq(void *xce, unsigned virq)
{
    return 1;
}

int xenevtchn_bind_interdomain(void *xce, uint32_t domid, uint32_t port)
{
    return 2;
}

int xenevtchn_notify(void *xce, uint32_t port)
{
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
    return -1;
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
    return calloc(1, 4096);
}

int xengnttab_unmap(void *xgt, void *page, uint32_t count)
{
    free(page);
    return 0;
}

/* /proc/xen/xsd_port and /proc/xen/xsd_kva are files in the folder XENSTORED_SHIM. */
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
