/*
 * Builds and removes a chain of routers as fast as C can, to be held against netsim.
 *
 *   chain RECIPE PREFIX
 *
 * The recipe (recipe.py) has the names of the nodes, the sysctls that each gets, and the bytes of
 * netsim's own netlink messages, so nothing is computed here: this does netsim's system calls and
 * nothing else. Each line of standard input is done and answered with the nanoseconds that it took:
 * "build", "remove". At the end of the input what still stands is removed.
 *
 * As netsim does: one unshare(2) for each node, with a descriptor of the namespace and a netlink
 * socket in it; sysctls through a procfs of one's own, renewed now and then; cables many to a
 * send, both ends made in place; one batch for each node; a symlink as name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WRITES_PER_MOUNT 256 /* netsim/linux/sysctl.py */

static const char *prefix;
static unsigned char *recipe; /* the whole file */
static size_t at;             /* what of it has been read */
static uint32_t nodes;
static const char **names;
static int *namespaces, *sockets;
static int home, standing;

static void die(const char *what) {
  fprintf(stderr, "chain: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int checked(long result, const char *what) {
  if (result < 0)
    die(what);
  return (int)result;
}

static uint32_t number(void) {
  uint32_t value;
  memcpy(&value, recipe + at, sizeof value);
  at += sizeof value;
  return value;
}

static unsigned char *bytes(uint32_t *size) {
  *size = number();
  unsigned char *start = recipe + at;
  at += *size;
  return start;
}

static const char *string(void) { /* its NUL is in the file */
  uint32_t size;
  return (const char *)bytes(&size);
}

static void read_recipe(const char *path) {
  struct stat about;
  int fd = checked(open(path, O_RDONLY | O_CLOEXEC), path);
  checked(fstat(fd, &about), path);
  recipe = malloc(about.st_size);
  for (ssize_t have = 0; have < about.st_size;) {
    ssize_t got = read(fd, recipe + have, about.st_size - have);
    if (got <= 0)
      die(path);
    have += got;
  }
  close(fd);
  nodes = number();
  names = calloc(nodes, sizeof *names);
  namespaces = calloc(nodes, sizeof *namespaces);
  sockets = calloc(nodes, sizeof *sockets);
  for (uint32_t i = 0; i < nodes; i++)
    names[i] = string();
}

static int procfs(void) {
  int context = checked(syscall(SYS_fsopen, "proc", 1), "fsopen");
  checked(syscall(SYS_fsconfig, context, 6, NULL, NULL, 0), "fsconfig");
  int fd = checked(syscall(SYS_fsmount, context, 1, 0), "fsmount");
  close(context);
  return fd;
}

/* Send requests and wait for the answer to the last; any that is refused is answered as well. */
static void transact(int fd, const unsigned char *requests, uint32_t size, uint32_t last) {
  static unsigned char answers[1 << 16] __attribute__((aligned(NLMSG_ALIGNTO)));
  checked(send(fd, requests, size, 0), "send");
  for (;;) {
    ssize_t left = recv(fd, answers, sizeof answers, 0);
    if (left < 0)
      die("recv");
    for (struct nlmsghdr *h = (void *)answers; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
      if (h->nlmsg_type != NLMSG_ERROR)
        continue;
      errno = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
      if (errno)
        die("netlink");
      if (h->nlmsg_seq == last)
        return;
    }
  }
}

static void name_path(char *path, size_t size, uint32_t node) {
  snprintf(path, size, "/run/netns/%s.%s", prefix, names[node]);
}

static void make_namespaces(void) {
  uint32_t sysctls = number(), size;
  size_t first = at;
  int proc = -1, left = 0;
  for (uint32_t i = 0; i < nodes; i++) {
    checked(unshare(CLONE_NEWNET), "unshare");
    namespaces[i] = checked(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "namespace");
    sockets[i] = checked(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "socket");
    at = first;
    for (uint32_t j = 0; j < sysctls; j++) {
      const char *path = string();
      const unsigned char *value = bytes(&size);
      if (left-- <= 0) {
        if (proc >= 0)
          close(proc);
        proc = procfs();
        left = WRITES_PER_MOUNT - 1;
      }
      int fd = checked(openat(proc, path, O_WRONLY | O_CLOEXEC), path);
      checked(write(fd, value, size), path);
      close(fd);
    }
  }
  if (proc >= 0)
    close(proc);
  checked(setns(home, CLONE_NEWNET), "setns");
}

/* The descriptors of the two namespaces go where the recipe says. */
static void make_cables(void) {
  int fd = checked(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "socket");
  for (uint32_t sends = number(), size; sends--;) {
    uint32_t last = number();
    unsigned char *requests = bytes(&size);
    for (uint32_t ends = number(); ends--;) {
      uint32_t offset = number(), node = number();
      memcpy(requests + offset, &namespaces[node], sizeof(uint32_t));
    }
    transact(fd, requests, size, last);
  }
  close(fd);
}

static void configure(void) {
  for (uint32_t i = 0, size; i < nodes; i++)
    for (uint32_t sends = number(); sends--;) {
      uint32_t last = number();
      unsigned char *requests = bytes(&size);
      transact(sockets[i], requests, size, last);
    }
}

static void show_names(void) {
  char path[4096], target[64];
  for (uint32_t i = 0; i < nodes; i++) {
    name_path(path, sizeof path, i);
    snprintf(target, sizeof target, "/proc/%d/fd/%d", getpid(), namespaces[i]);
    checked(symlink(target, path), path);
  }
}

static void build(void) {
  size_t start = at; /* a second build reads the same again */
  make_namespaces();
  make_cables();
  configure();
  show_names();
  at = start;
  standing = 1;
}

static void tear_down(void) {
  char path[4096];
  for (uint32_t i = 0; i < nodes; i++)
    close(sockets[i]);
  for (uint32_t i = 0; i < nodes; i++)
    close(namespaces[i]);
  for (uint32_t i = 0; i < nodes; i++) {
    name_path(path, sizeof path, i);
    unlink(path);
  }
  standing = 0;
}

static long long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv) {
  char line[16];
  struct rlimit files;
  if (argc != 3) {
    fprintf(stderr, "usage: chain RECIPE PREFIX\n");
    return 2;
  }
  prefix = argv[2];
  read_recipe(argv[1]);
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  home = checked(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "namespace");
  while (fgets(line, sizeof line, stdin)) {
    long long begin = now_ns();
    if (line[0] == 'b')
      build();
    else
      tear_down();
    printf("%lld\n", now_ns() - begin);
    fflush(stdout);
  }
  if (standing)
    tear_down();
  return 0;
}
