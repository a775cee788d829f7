/*
 * Loaded into the service before libc: while the file named by FAILING_WAL exists, the disk under SQLite's log fails with EIO. Its text
 * says how: "write" lets two writes through and fails from the third on, "sync" writes all and fails to make it durable.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITES_LET_THROUGH 2

static char mode(void) {
  const char *path = getenv("FAILING_WAL");
  if (path == NULL) return 0;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return 0;
  char how = 0;
  if (read(fd, &how, 1) != 1) how = 0;
  close(fd);
  return how;
}

static int is_wal(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path);
  return n > 4 && memcmp(path + n - 4, "-wal", 4) == 0;
}

static int fail(void) {
  errno = EIO;
  return -1;
}

static int write_fails(int fd) {
  static int writes = 0;
  if (!is_wal(fd)) return 0;
  if (mode() != 'w') {
    writes = 0;
    return 0;
  }
  return ++writes > WRITES_LET_THROUGH;
}

static int sync_fails(int fd) { return is_wal(fd) && mode() == 's'; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  return write_fails(fd) ? fail() : REAL(pwrite)(fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  return write_fails(fd) ? fail() : REAL(pwrite64)(fd, bytes, count, at);
}
int fsync(int fd) { return sync_fails(fd) ? fail() : REAL(fsync)(fd); }
int fdatasync(int fd) { return sync_fails(fd) ? fail() : REAL(fdatasync)(fd); }
