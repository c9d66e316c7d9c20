/* Unix domain sockets by the path of their file. */
#ifndef WEFT_NET_UNIX_SOCKET_H
#define WEFT_NET_UNIX_SOCKET_H

#include "weft/status.h"

/** The longest path that a socket can have here, in bytes: the system's own limit, 107 on Linux. */
size_t weft__unix_path_max(void);

/** The file of a listening socket, to be removed when that is closed. All zero is none. */
typedef struct weft__unix_file {
    char path[128]; /**< Closed by a NUL; stays when the file is removed. */
    uint64_t device;
    uint64_t inode;
    bool is_there;
} weft__unix_file;

/**
 * A socket that listens already. A socket file that nobody listens at is replaced; a live one, and a file
 * that is no socket, is refused and stays. Of those who want one path at the same time one gets it: a lock on
 * the folder is waited for, a second at most. Who may connect is decided by the modes of the folder and of
 * the file, which is made as the umask says.
 *
 * WEFT_EADDRESS or WEFT_ESYSTEM, with `*out` -1 and path and cause in `detail`, cut at `detail_size`.
 * Thread: any.
 */
weft_status weft__unix_listening_socket_open(int *out, weft__unix_file *file, const char *path, int backlog,
                                             char *detail, size_t detail_size);

/** Another descriptor of the same socket, or -1. Thread: any. */
int weft__unix_socket_duplicate(int socket);

/** Removes the file unless it is another's by now; at most once. Call it before the socket is closed: a
 * newcomer replaces a file that nobody listens at, and by a file of the same number. Thread: any. */
void weft__unix_file_remove(weft__unix_file *file);

/**
 * A connected socket that does not block; never waits. 0, or an errno with `*out` -1: EAGAIN when the
 * listener's backlog is full, ENAMETOOLONG. Thread: any.
 */
int weft__unix_connect(int *out, const char *path);

#endif
