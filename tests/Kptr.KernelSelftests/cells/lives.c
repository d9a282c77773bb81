// Lets maps of /programs (see LinkedFile.cs) live as /lives says, a step a line, and prints what each step answers:
// "A line errno words...". The first program of the file counts the references of this task, each other one acts on the
// map of its number less one. Every life has a map of its own.
#define _GNU_SOURCE
#include "linked.h"
#include <sched.h>
#include <linux/membarrier.h>

enum { MAP_TYPE_RHASH = 35 };
enum { STEP_MAX = 1 << 16, BYTES_MAX = 1 << 14, KEYS_MAX = 1024, WAITS_MAX = 100, PROGS_MAX = MAPS_MAX };

struct args { unsigned op, key; unsigned long long value, flags; unsigned cpu, pad; long long result; };
struct map { int fd, key, value; };

static unsigned char *map_at[MAPS_MAX], *prog_at[PROGS_MAX];
static int count_fd, act_fd, line;

// Deleted elements of an rhash die after a grace period of sleepable readers, which is long.
enum { WAIT_US = 30000, WAIT_FOR_SLEEPABLE_US = 300000 };
static int wait_us = WAIT_US;
static long long base;    // references that this task has anyway
static unsigned char bytes[BYTES_MAX], keys[BYTES_MAX];

static void say_bytes(const unsigned char *from, int count)
{
    printf(" ");
    for (int i = 0; i < count; i++)
        printf("%02x", from[i]);
}

static int read_bytes(const char *hex, unsigned char *to)
{
    unsigned byte;
    int count = 0;
    for (; sscanf(hex, "%2x", &byte) == 1 && count < BYTES_MAX; hex += 2)
        to[count++] = byte;
    return count;
}

static int run(int fd, struct args *args)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.test.prog_fd = fd;
    attr.test.ctx_in = (uintptr_t)args;
    attr.test.ctx_size_in = sizeof *args;
    return bpf(BPF_PROG_TEST_RUN, &attr);
}

static long long references(void)
{
    struct args args = { 0 };
    return run(count_fd, &args) < 0 ? -errno : args.result;
}

static void wait_for_readers(void)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    usleep(wait_us);
}

static int one(const struct map *map, int command, unsigned key, unsigned long long flags)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    memset(keys, 0, sizeof keys);
    memcpy(keys, &key, sizeof key);
    attr.map_fd = map->fd;
    attr.key = (uintptr_t)keys;
    if (command != BPF_MAP_DELETE_ELEM) {    // which takes no word behind the key
        attr.value = (uintptr_t)bytes;
        attr.flags = flags;
    }
    return bpf(command, &attr) < 0 ? errno : 0;
}

// The answer: errno and how many; of those that read also keys and values.
static void batch(const struct map *map, int command, unsigned count, unsigned long long flags, int reads)
{
    static unsigned char cursor[BYTES_MAX];
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.batch.map_fd = map->fd;
    attr.batch.keys = (uintptr_t)keys;
    attr.batch.values = (uintptr_t)bytes;
    attr.batch.out_batch = (uintptr_t)cursor;
    attr.batch.count = count;
    attr.batch.elem_flags = flags;
    int error = bpf(command, &attr) < 0 ? errno : 0;
    printf("A %d %d %u", line, error, attr.batch.count);
    for (unsigned i = 0; reads && i < attr.batch.count && (error == 0 || error == ENOENT); i++) {
        say_bytes(keys + i * map->key, map->key);
        say_bytes(bytes + i * map->value, map->value);
    }
    printf("\n");
}

// All keys, in the order of the map.
static void walk(const struct map *map)
{
    unsigned char next[BYTES_MAX];
    int error = 0, first = 1;
    printf("A %d", line);
    for (int count = 0; !error && count < KEYS_MAX; count++, first = 0) {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        attr.map_fd = map->fd;
        attr.key = first ? 0 : (uintptr_t)keys;
        attr.next_key = (uintptr_t)next;
        error = bpf(BPF_MAP_GET_NEXT_KEY, &attr) < 0 ? errno : 0;
        if (!error)
            say_bytes(next, map->key);
        memcpy(keys, next, map->key);
    }
    printf(" %d\n", error);
}

static int freeze(const struct map *map)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_fd = map->fd;
    return bpf(BPF_MAP_FREEZE, &attr) < 0 ? errno : 0;
}

static void act(const struct map *map, const char *text)
{
    char op = text[0], hex[2 * BYTES_MAX + 1];
    unsigned key = 0, count = 0;
    unsigned long long flags = 0;
    struct args args = { 0 };
    switch (op) {
    case 'P':
        sscanf(text + 1, "%u %u %llu %llu %u", &args.op, &args.key, &args.value, &args.flags, &args.cpu);
        if (run(act_fd, &args) < 0)
            printf("A %d %d\n", line, errno);
        else
            printf("A %d 0 %lld %llu\n", line, args.result, args.value);
        break;
    case 'U':
        sscanf(text + 1, "%u %llu %s", &key, &flags, hex);
        read_bytes(hex, bytes);
        printf("A %d %d\n", line, one(map, BPF_MAP_UPDATE_ELEM, key, flags));
        break;
    case 'G':
    case 'T':
        sscanf(text + 1, "%u %llu", &key, &flags);
        memset(bytes, 0, sizeof bytes);
        int error = one(map, op == 'G' ? BPF_MAP_LOOKUP_ELEM : BPF_MAP_LOOKUP_AND_DELETE_ELEM, key, flags);
        printf("A %d %d", line, error);
        if (!error)
            say_bytes(bytes, map->value);
        printf("\n");
        break;
    case 'D':
        sscanf(text + 1, "%u", &key);
        printf("A %d %d\n", line, one(map, BPF_MAP_DELETE_ELEM, key, 0));
        break;
    case 'W':
        walk(map);
        break;
    case 'L':
    case 'M':    // look up a batch; look up and delete one
        sscanf(text + 1, "%u %llu", &count, &flags);
        memset(bytes, 0, sizeof bytes);
        batch(map, op == 'L' ? BPF_MAP_LOOKUP_BATCH : BPF_MAP_LOOKUP_AND_DELETE_BATCH, count, flags, 1);
        break;
    case 'S':
    case 'X':    // update (set) a batch of the first keys; delete one
        sscanf(text + 1, "%u %llu %s", &count, &flags, hex);
        for (unsigned i = 0; i < count; i++) {
            memcpy(keys + i * map->key, &i, sizeof i);
            if (op == 'S')
                read_bytes(hex, bytes + i * map->value);
        }
        batch(map, op == 'S' ? BPF_MAP_UPDATE_BATCH : BPF_MAP_DELETE_BATCH, count, flags, 0);
        break;
    case 'F':
        printf("A %d %d\n", line, freeze(map));
        break;
    case 'C':
        wait_for_readers();
        printf("A %d 0 %lld\n", line, references() - base);
        break;
    default:
        printf("NOTE line %d has no known step\n", line);
    }
}

static void live(FILE *lives)
{
    static char text[STEP_MAX];
    struct map map = { -1 };
    for (line = 1; fgets(text, sizeof text, lives); line++) {
        unsigned number, program;
        if (text[0] == '#') {    // "# map key-bytes value-bytes": a new life
            sscanf(text + 1, "%u %d %d", &number, &map.key, &map.value);
            at = map_at[number];
            wait_us = *(unsigned *)at == MAP_TYPE_RHASH ? WAIT_FOR_SLEEPABLE_US : WAIT_US;
            map.fd = create_map();
            int fds[MAPS_MAX];
            for (int i = 0; i < MAPS_MAX; i++)
                fds[i] = map.fd;
            at = prog_at[number + 1];
            act_fd = load_program(fds, &program);
            printf("A %d %d\n", line, map.fd < 0 || act_fd < 0 ? errno : 0);
        } else if (text[0] == '.') {    // the end: whether all references come back
            long long left = 0;
            close(act_fd);
            close(map.fd);
            for (int i = 0; i < WAITS_MAX && (i == 0 || left > 0); i++) {
                wait_for_readers();
                left = references() - base;
            }
            printf("A %d 0 %lld\n", line, left);
        } else {
            act(&map, text);
        }
        fflush(stdout);
    }
    printf("DONE %d lines\n", line - 1);
}

int main(void)
{
    cpu_set_t first;
    unsigned number;
    printf("\n");
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof first, &first);
    FILE *lives = fopen("/lives", "r");
    if (!lives || !read_file("/programs"))
        return finish();
    load_btf();
    unsigned count = word();
    for (unsigned i = 0; i < count && i < MAPS_MAX; i++) {
        map_at[i] = at;
        close(create_map());
    }
    count = word();
    int none[MAPS_MAX];
    memset(none, -1, sizeof none);
    for (unsigned i = 0; i < count && i < PROGS_MAX; i++) {
        prog_at[i] = at;
        int fd = load_program(none, &number);
        if (i == 0)
            count_fd = fd;
    }
    if (count_fd < 0)
        printf("NOTE the counting program is refused: %s\n", log_text);
    base = references();
    live(lives);
    return finish();
}
