/* The measurements of store_client.py with libxenstore: PATH of the socket, WHAT and COUNT; prints microseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xenstore.h>

static struct xs_handle *xs;

static void check(int good)
{
    if (!good) {
        perror("store_client");
        exit(1);
    }
}

static void create(void)
{
    struct xs_permissions perms[2] = {{0, XS_PERM_NONE}, {5, XS_PERM_READ}};
    char path[128];

    for (int group = 0; group < 5; group++) {
        xs_transaction_t tx = xs_transaction_start(xs);
        check(tx != 0);
        for (int node = 0; node < 18; node++) {
            snprintf(path, sizeof(path), "/local/domain/5/device/group%d/0/node%d", group, node);
            check(xs_write(xs, tx, path, "some value", 10));
            check(xs_set_permissions(xs, tx, path, perms, 2));
        }
        check(xs_transaction_end(xs, tx, false));
    }
    check(xs_rm(xs, 0, "/local/domain/5"));
}

int main(int argc, char **argv)
{
    struct timespec start, end;
    unsigned length;
    int count = atoi(argv[3]);

    setenv("XENSTORED_PATH", argv[1], 1);
    check((xs = xs_open(0)) != NULL);
    check(xs_write(xs, 0, "/bench/node", "some value", 10));
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < count; i++) {
        if (!strcmp(argv[2], "read")) {
            void *value = xs_read(xs, 0, "/bench/node", &length);
            check(value != NULL);
            free(value);
        } else if (!strcmp(argv[2], "write"))
            check(xs_write(xs, 0, "/bench/node", "some value", 10));
        else
            create();
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%f\n", ((end.tv_sec - start.tv_sec) * 1e6 + (end.tv_nsec - start.tv_nsec) / 1e3) / count);
    xs_close(xs);
    return 0;
}
