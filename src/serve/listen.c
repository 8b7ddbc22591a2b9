#include "serve/listen.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

static enum gm_status read_address(const char *address, uint16_t port, struct sockaddr_storage *out,
                                   struct gm_error *err)
{
    struct sockaddr_in *v4 = (void *)out;
    struct sockaddr_in6 *v6 = (void *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
    } else {
        return GM_FAIL(err, GM_EARG,
                       "%s is no address to listen on: give a number, such as 127.0.0.1, ::1 "
                       "or 0.0.0.0",
                       address);
    }
    return GM_OK;
}

void gm_listen_raise_files(size_t connections)
{
    struct rlimit r;
    const rlim_t need = connections + 256;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= need)
        return;
    r.rlim_cur = r.rlim_max == RLIM_INFINITY || r.rlim_max > need ? need : r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur < need)
        GM_LOG(GM_LOG_WARN, "serve", "the system allows %llu open files; %zu connections need more",
               (unsigned long long)r.rlim_cur, connections);
}

enum gm_status gm_listen(const char *address, uint16_t port, int *fd, uint16_t *bound,
                         struct gm_error *err)
{
    const int yes = 1;
    struct sockaddr_storage a;
    enum gm_status st = read_address(address, port, &a, err);
    if (st != GM_OK)
        return st;
    socklen_t n = a.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    *fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(*fd, (void *)&a, n) != 0 || listen(*fd, SOMAXCONN) != 0 ||
        getsockname(*fd, (void *)&a, &n) != 0)
        return GM_FAIL(err, GM_EIO, "cannot listen on %s, port %u: %s", address, port,
                       strerror(errno));
    *bound = ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port
                                          : ((struct sockaddr_in6 *)&a)->sin6_port);
    return GM_OK;
}
