/*
 * Lets oxenstored run where there is no Xen, beside the shim of the C daemon (tests/support), which this one contains:
 * it has its paths compiled in, wants a limit that only root may raise, and asks for domains in another way.
 */
#include "../tests/support/xenstored_shim.c"

#include <libgen.h>
#include <sys/stat.h>

/* Whatever it has below /var/run, /run or /var/log goes into the folder. */
static const char *moved(char *local, size_t size, const char *path)
{
    const char *name = strrchr(path, '/');

    if (strncmp(path, "/var/run/xen", 12) && strncmp(path, "/run/xen", 8) && strncmp(path, "/var/log/xen", 12) &&
        strncmp(path, "/var/lib/xen", 12) && strncmp(path, "/proc/xen/xsd_", 14))
        return path;
    snprintf(local, size, "%s/%s", getenv("XENSTORED_SHIM"), name ? name + 1 : path);
    return local;
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limits)
{
    return 0;
}

int open64(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    char local[4096];
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!real)
        real = dlsym(RTLD_NEXT, "open64");
    return real(moved(local, sizeof(local), path), flags, mode);
}

int bind(int fd, const struct sockaddr *given, socklen_t size)
{
    static int (*real)(int, const struct sockaddr *, socklen_t);
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    char path[4096];

    if (!real)
        real = dlsym(RTLD_NEXT, "bind");
    if (given->sa_family != AF_UNIX)
        return real(fd, given, size);
    snprintf(local.sun_path, sizeof(local.sun_path), "%s",
             moved(path, sizeof(path), ((const struct sockaddr_un *)given)->sun_path));
    return real(fd, (struct sockaddr *)&local, sizeof(local));
}

int unlink(const char *path)
{
    static int (*real)(const char *);
    char local[4096];

    if (!real)
        real = dlsym(RTLD_NEXT, "unlink");
    return real(moved(local, sizeof(local), path));
}

int mkdir(const char *path, mode_t mode)
{
    static int (*real)(const char *, mode_t);
    char local[4096];

    if (!real)
        real = dlsym(RTLD_NEXT, "mkdir");
    return moved(local, sizeof(local), path) == path ? real(path, mode) : 0;
}

int xc_domain_getinfolist(xc_interface *xch, uint32_t first, unsigned int max, xc_domaininfo_t *info)
{
    memset(info, 0, sizeof(*info));
    info->domain = first;
    return 1;
}

void *xc_map_foreign_range(xc_interface *xch, uint32_t domid, int size, int prot, unsigned long frame)
{
    return mmap(NULL, size, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

void *xenevtchn_fdopen(void *logger, int fd, unsigned flags)
{
    return xenevtchn_open(logger, flags);
}

int xenevtchn_close(void *xce)
{
    return 0;
}
