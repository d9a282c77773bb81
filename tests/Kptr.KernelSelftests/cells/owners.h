// Who owns values of local storages: children that wait for their end, and cgroups.
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>

enum { OWNERS_MAX = 8, NOBODY = 0x3fffff };

struct owner { int fd, pid, is_cgroup; unsigned long long id; };
static struct owner owners[OWNERS_MAX] = { [0 ... OWNERS_MAX - 1] = { .fd = -1 } };
static int owners_made;

static void mount_cgroups(void)
{
    mkdir("/cg", 0755);
    if (mount("none", "/cg", "cgroup2", 0, ""))
        printf("NOTE there are no cgroups: %d\n", errno);
}

static const char *cgroup_path(unsigned key)
{
    static char path[64];
    snprintf(path, sizeof path, "/cg/owner%u-%d", key, owners[key].pid);
    return path;
}

static int owner_fd(unsigned key)
{
    return key < OWNERS_MAX ? owners[key].fd : -1;
}

// By which programs find it: a pid or a cgroup's id.
static unsigned long long owner_id(unsigned key)
{
    return key < OWNERS_MAX && owners[key].id ? owners[key].id : NOBODY;
}

static int begin_owner(unsigned key, int is_cgroup)
{
    struct owner *owner = &owners[key];
    struct stat stat;
    owner->is_cgroup = is_cgroup;
    if (is_cgroup) {
        if (owner->fd >= 0)
            close(owner->fd);
        owner->pid = owners_made++;
        if (mkdir(cgroup_path(key), 0755))
            return errno;
        owner->fd = open(cgroup_path(key), O_RDONLY | O_DIRECTORY);
        fstat(owner->fd, &stat);
        owner->id = stat.st_ino;
        return 0;
    }
    owner->pid = fork();
    if (owner->pid == 0) {
        while (1)
            pause();
    }
    owner->id = owner->pid;
    owner->fd = syscall(SYS_pidfd_open, owner->pid, 0);
    return 0;
}

// A task becomes a zombie, a cgroup goes offline.
static int end_owner(unsigned key)
{
    struct owner *owner = &owners[key];
    siginfo_t info;
    if (owner->is_cgroup)
        return rmdir(cgroup_path(key)) ? errno : 0;
    kill(owner->pid, SIGKILL);
    return waitid(P_PID, owner->pid, &info, WEXITED | WNOWAIT) ? errno : 0;
}

// Of a cgroup the descriptor stays, which names nobody any more.
static int forget_owner(unsigned key)
{
    struct owner *owner = &owners[key];
    if (owner->fd < 0 || owner->is_cgroup)
        return 0;
    close(owner->fd);
    waitpid(owner->pid, NULL, 0);
    owner->fd = -1;
    owner->id = 0;
    return 0;
}

static void forget_owners(void)
{
    for (unsigned i = 0; i < OWNERS_MAX; i++) {
        if (owners[i].fd >= 0)
            end_owner(i);
        forget_owner(i);
        if (owners[i].fd >= 0)
            close(owners[i].fd);
        owners[i] = (struct owner){ .fd = -1 };
    }
}
