// Lets maps of /programs (see LinkedFile.cs) live as /lives says, a step a line, and prints what each step answers:
// "A line errno words...". The first program of the file counts the references of this task, each other one acts on the
// map of its number less one. Every life has a map of its own.
#define _GNU_SOURCE
#include "linked.h"
#include "owners.h"
#include "rings.h"
#include <sched.h>
#include <linux/membarrier.h>

enum { MAP_TYPE_CGRP_STORAGE = 32, MAP_TYPE_RHASH = 35 };
enum { STEP_MAX = 1 << 16, BYTES_MAX = 1 << 14, KEYS_MAX = 1024, WAITS_MAX = 10, PROGS_MAX = MAPS_MAX };

struct args {
    unsigned op, key;
    unsigned long long value, flags;
    unsigned cpu, pad;
    long long result;
    unsigned long long owner;
};
struct map { int fd, key, value, inner, last, hide_from, hide_to; unsigned type; };

static unsigned char *prog_at[PROGS_MAX];
static int count_fd, act_fd, line;

// Deleted elements of an rhash die after a grace period of sleepable readers, which is long; so do storages, after their
// owner's own end.
enum { WAIT_US = 30000, WAIT_FOR_SLEEPABLE_US = 300000, WAIT_FOR_OWNERS_US = 600000 };
static int wait_us = WAIT_US;
static long long base;    // references that this task has anyway
static unsigned char bytes[BYTES_MAX], keys[BYTES_MAX];

static void say_bytes(const unsigned char *from, int count)
{
    printf(" ");
    for (int i = 0; i < count; i++)
        printf("%02x", from[i]);
}

// A value without the bytes that are addresses of a kernel's own.
static void say_value(const struct map *map, unsigned char *value)
{
    if (map->hide_to)
        memset(value + map->hide_from, 0, map->hide_to - map->hide_from);
    say_bytes(value, map->value);
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

static int waits_of(unsigned type)
{
    switch (type) {
    case MAP_TYPE_RHASH:
    case BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case BPF_MAP_TYPE_HASH_OF_MAPS:
        return WAIT_FOR_SLEEPABLE_US;
    case BPF_MAP_TYPE_TASK_STORAGE:
    case MAP_TYPE_CGRP_STORAGE:
        return WAIT_FOR_OWNERS_US;
    default:
        return WAIT_US;
    }
}

static int is_storage(const struct map *map)
{
    return map->type == BPF_MAP_TYPE_TASK_STORAGE || map->type == MAP_TYPE_CGRP_STORAGE;
}

static void pin(int cpu)
{
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    sched_setaffinity(0, sizeof only, &only);
}

static int one(const struct map *map, int command, unsigned key, unsigned long long flags)
{
    union bpf_attr attr;
    if (is_storage(map))
        key = owner_fd(key);
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
        say_value(map, bytes + i * map->value);
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

// Puts a new inner map into an outer one, or the last one once more; whoever made it lets go of it.
static int put_inner(struct map *map, unsigned key, unsigned long long flags, int is_new)
{
    if (is_new) {
        close(map->last);
        map->last = create_numbered(map->inner);
    }
    memcpy(bytes, &map->last, sizeof map->last);
    return one(map, BPF_MAP_UPDATE_ELEM, key, flags);
}

static void act(struct map *map, const char *text)
{
    char op = text[0], hex[2 * BYTES_MAX + 1] = "";
    unsigned key = 0, count = 0;
    unsigned long long flags = 0;
    struct args args = { 0 };
    switch (op) {
    case 'P':
        sscanf(text + 1, "%u %u %llu %llu %u", &args.op, &args.key, &args.value, &args.flags, &args.cpu);
        args.owner = is_storage(map) ? owner_id(args.key) : 0;
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
        if (!error && !map->inner)
            say_value(map, bytes);
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
    case 'B':
        sscanf(text + 1, "%u", &key);
        pin(key);
        printf("A %d 0\n", line);
        break;
    case 'O':
    case 'K':
    case 'Z':    // an owner begins, ends, is gone
        sscanf(text + 1, "%u", &key);
        printf("A %d %d\n", line, op == 'O' ? begin_owner(key, map->type == MAP_TYPE_CGRP_STORAGE)
            : op == 'K' ? end_owner(key) : forget_owner(key));
        break;
    case 'N':
    case 'A':
        sscanf(text + 1, "%u %llu", &key, &flags);
        printf("A %d %d\n", line, put_inner(map, key, flags, op == 'N'));
        break;
    case 'Q':
        close(map->last);
        map->last = -1;
        printf("A %d 0\n", line);
        break;
    case 'V':    // read a ring; post to one
        sscanf(text + 1, "%u", &count);
        printf("A %d 0", line);
        for (int length; count > 0 && (length = read_ring(bytes)) >= 0; count--)
            say_bytes(bytes, length);
        printf("\n");
        break;
    case 'R':
        sscanf(text + 1, "%s", hex);
        printf("A %d %d\n", line, post_ring(bytes, read_bytes(hex, bytes)));
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
        if (text[0] == '#') {    // "# map key-bytes value-bytes inner-map hide-from hide-to": a new life
            map.inner = map.hide_from = map.hide_to = 0;
            map.last = -1;
            sscanf(text + 1, "%u %d %d %d %d %d", &number, &map.key, &map.value, &map.inner, &map.hide_from,
                &map.hide_to);
            map.type = *(unsigned *)map_at[number];
            wait_us = waits_of(map.type);
            map.fd = create_numbered(number);
            map_ring(map.fd, map.type == BPF_MAP_TYPE_RINGBUF ? 1 : map.type == MAP_TYPE_USER_RINGBUF ? 2 : 0);
            int fds[MAPS_MAX];
            for (int i = 0; i < MAPS_MAX; i++)
                fds[i] = map.fd;
            at = prog_at[number + 1];
            act_fd = load_program(fds, &program);
            printf("A %d %d\n", line, map.fd < 0 || act_fd < 0 ? errno : 0);
        } else if (text[0] == '.') {    // the end: whether all references come back
            long long left = 0;
            close(act_fd);
            unmap_ring();
            close(map.last);
            close(map.fd);
            pin(0);
            forget_owners();
            for (int i = 0; i < WAITS_MAX && (i == 0 || left > 0); i++) {
                wait_for_readers();
                left = references() - base;
            }
            printf("A %d 0 %lld\n", line, left);
            base += left;    // what never comes back is of no other life
        } else {
            act(&map, text);
        }
        fflush(stdout);
    }
    printf("DONE %d lines\n", line - 1);
}

int main(void)
{
    unsigned number;
    printf("\n");
    pin(0);
    mount_cgroups();
    FILE *lives = fopen("/lives", "r");
    if (!lives || !read_file("/programs"))
        return finish();
    load_btf();
    unsigned count = find_maps();
    for (unsigned i = 0; i < count && i < MAPS_MAX; i++)
        close(create_numbered(i));
    count = word();
    int none[MAPS_MAX];
    memset(none, -1, sizeof none);
    for (unsigned i = 0; i < count && i < PROGS_MAX; i++) {
        prog_at[i] = at;
        int fd = load_program(none, &number);
        if (fd < 0 && errno != EBADF)
            printf("NOTE program %u is refused: %s\n", number, log_text);
        if (i == 0)
            count_fd = fd;
    }
    if (count_fd < 0)
        printf("NOTE the counting program is refused: %s\n", log_text);
    base = references();
    live(lives);
    return finish();
}
