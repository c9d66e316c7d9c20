#include "net/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum {
    LONGEST_WAIT_MS = 1000 /* for others who open a socket in the same folder */
};

size_t weft__unix_path_max(void)
{
    return sizeof((struct sockaddr_un *)0)->sun_path - 1;
}

/* The system, and libuv, would cut a longer path and use another file. */
static bool name_of(struct sockaddr_un *name, const char *path)
{
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length > weft__unix_path_max()) return false;
    memcpy(name->sun_path, path, length);
    return true;
}

static int open_socket(void)
{
    int opened = socket(AF_UNIX, SOCK_STREAM, 0);
    if (opened < 0) return -1;
    /* Not for programs that this one starts. */
    if (fcntl(opened, F_SETFD, FD_CLOEXEC) == 0 && fcntl(opened, F_SETFL, O_NONBLOCK) == 0) return opened;
    close(opened);
    return -1;
}

static void close_keeping_errno(int socket)
{
    int error = errno;
    close(socket);
    errno = error;
}

int weft__unix_connect(int *out, const char *path)
{
    struct sockaddr_un name;
    *out = -1;
    if (!name_of(&name, path)) return ENAMETOOLONG;
    int opened = open_socket();
    if (opened < 0) return errno;
    int result;
    do {
        result = connect(opened, (const struct sockaddr *)&name, sizeof name);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        *out = opened;
        return 0;
    }
    close_keeping_errno(opened);
    return errno;
}

/* -- listening --------------------------------------------------------------------------------- */

static weft_status refuse(const char *path, int error, char *detail, size_t detail_size)
{
    bool is_address = error == EADDRINUSE || error == EACCES || error == ENOENT || error == ENOTDIR ||
                      error == EROFS || error == EEXIST;
    const char *cause = uv_strerror(uv_translate_sys_error(error));
    if (error == EADDRINUSE) cause = "address in use";
    if (error == EEXIST) cause = "a file that is no socket is there";
    if (error == EACCES) cause = "permission denied";
    snprintf(detail, detail_size, "cannot listen on %s: %s", path, cause);
    return is_address ? WEFT_EADDRESS : WEFT_ESYSTEM;
}

static bool is_same_file(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* Takes a stale socket's file away. 0, or why the path cannot be had. */
static int clear_path(const char *path)
{
    struct stat before, after;
    int probe;
    if (lstat(path, &before) != 0) return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(before.st_mode)) return EEXIST;
    int result = weft__unix_connect(&probe, path);
    if (probe >= 0) close(probe);
    if (result == ENOENT) return 0;
    if (result != ECONNREFUSED) return result == EACCES ? EACCES : EADDRINUSE;
    bool is_stale = lstat(path, &after) == 0 && is_same_file(&before, &after); /* not a newcomer's */
    if (!is_stale) return EADDRINUSE;
    return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
}

/* A bound socket, or -1 with errno set. */
static int bind_socket(const struct sockaddr_un *name)
{
    int bound = open_socket();
    if (bound < 0) return -1;
    int result = bind(bound, (const struct sockaddr *)name, sizeof *name);
    if (result != 0 && errno == EADDRINUSE) {
        int error = clear_path(name->sun_path);
        errno = error;
        if (error == 0) result = bind(bound, (const struct sockaddr *)name, sizeof *name);
    }
    if (result == 0) return bound;
    close_keeping_errno(bound);
    return -1;
}

/* Between those who find the same stale file, or one that is bound and not listened at yet, the lock of the
 * folder decides. It ends with its descriptor, -1 where the folder has none. Whoever may read the folder can
 * hold it, so the wait is bounded. */
static int lock_folder(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path] = ".";
    const char *slash = strrchr(path, '/');
    if (slash) snprintf(folder, sizeof folder, "%.*s", (int)(slash - path + 1), path);
    int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int waited_ms = 0; lock >= 0 && waited_ms < LONGEST_WAIT_MS; waited_ms++) {
        if (flock(lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) break;
        poll(NULL, 0, 1);
    }
    return lock;
}

/* A listening socket and its file, or -1 with errno set. */
static int listen_at(const struct sockaddr_un *name, int backlog, struct stat *made)
{
    int listening = bind_socket(name);
    if (listening < 0) return -1;
    if (listen(listening, backlog) == 0 && lstat(name->sun_path, made) == 0) return listening;
    int error = errno;
    unlink(name->sun_path);
    close(listening);
    errno = error;
    return -1;
}

weft_status weft__unix_listening_socket_open(int *out, weft__unix_file *file, const char *path, int backlog,
                                             char *detail, size_t detail_size)
{
    struct sockaddr_un name;
    struct stat made;
    *out = -1;
    *file = (weft__unix_file){0};
    if (!name_of(&name, path)) {
        snprintf(detail, detail_size, "the path of a unix socket has 1 to %zu bytes, not %zu: %s",
                 weft__unix_path_max(), strlen(path), path);
        return WEFT_EADDRESS;
    }
    int lock = lock_folder(path);
    int listening = listen_at(&name, backlog, &made);
    int error = errno;
    if (lock >= 0) close(lock);
    if (listening < 0) return refuse(path, error, detail, detail_size);
    snprintf(file->path, sizeof file->path, "%s", path);
    file->device = (uint64_t)made.st_dev;
    file->inode = (uint64_t)made.st_ino;
    file->is_there = true;
    *out = listening;
    return WEFT_OK;
}

int weft__unix_socket_duplicate(int socket)
{
    return fcntl(socket, F_DUPFD_CLOEXEC, 0);
}

void weft__unix_file_remove(weft__unix_file *file)
{
    struct stat found;
    if (!file->is_there) return;
    file->is_there = false;
    bool is_ours = lstat(file->path, &found) == 0 && (uint64_t)found.st_dev == file->device &&
                   (uint64_t)found.st_ino == file->inode;
    if (is_ours) unlink(file->path);
}
