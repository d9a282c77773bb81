// Asks for every map of /maps.rows whether such a map is created when its flags, sizes or types are others. The answers
// are lines "MAPS type axis WORD", a character a cell (see letter_of). Values with special
// fields are those of /btf/list (see values.py), each in a BTF of its own.
#include "cells.h"
#include <sys/stat.h>
#include <fcntl.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct map { unsigned type, flags, key, value, max; unsigned long long extra; unsigned key_id, value_id; };

enum { KEY_TYPES = 10, KEY_INT = 0, KEY_LONG = 2, KEY_PREFIX = 5 };

struct type { unsigned id, size; };
struct value { int btf_fd; struct type type, keys[KEY_TYPES]; };

static const unsigned keys[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 64, 256, 259, 260, 261, 512, 513, 4096, 65536, 1 << 22,
    1u << 31 };
static const unsigned values[] = { 0, 1, 3, 4, 5, 7, 8, 9, 16, 32, 64, 1016, 1024, 4064, 4096, 32760, 32768, 32769, 65407,
    65408, (1 << 22) - 300, (1 << 22) - 296, (1 << 22) - 295, (1 << 22) - 53, (1 << 22) - 52, 1 << 22, (1 << 22) + 1, 1u << 31 };
static const unsigned few_values[] = { 0, 1, 4, 8, 64, 4096 };
static const unsigned maxes[] = { 0, 1, 2, 3, 5, 100, 4095, 4096, 8192, 12288, 65536, (1 << 20) + 1, (1 << 28) - 1, 1 << 28,
    (1 << 28) + 1, 1 << 30, (1u << 31) - 1, 1u << 31, (1u << 31) + 1, 0xffffffff };
static const unsigned few_maxes[] = { 0, 1, 3, 4, 4096, 8192, 1u << 31 };
static const unsigned long long extras[] = { 0, 1, 5, 15, 16, 17, 4095, 4096, 65536, 1ull << 31, (1ull << 32) - 16384,
    (1ull << 32) - 8192, 1ull << 32, 1ull << 47, 1ull << 63 };
enum { FLAGS = 19, ALONE = 13 };    // the flags that there are; the values with one field

static struct value values_of[1000];
static int inner_fd, notes, value_count;
static char word[65536];
static int at;
static long cells;

static char letter_of(int error)
{
    switch (error) {
    case 0: return '+';
    case EPERM: return 'p';
    case EINVAL: return '.';
    case E2BIG: return 'b';
    case ENOMEM: return 'm';
    case 524: return 'n';
    case EOPNOTSUPP: return 'o';
    case EACCES: return 'a';
    case EBADF: return 'f';
    case ERANGE: return 'r';
    case EBUSY: return 'y';
    default: return '?';
    }
}

static int create(const struct map *map, int btf_fd)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_type = map->type;
    attr.map_flags = map->flags;
    attr.key_size = map->key;
    attr.value_size = map->value;
    attr.max_entries = map->max;
    attr.map_extra = map->extra;
    if (btf_fd) {
        attr.btf_fd = btf_fd;
        attr.btf_key_type_id = map->key_id;
        attr.btf_value_type_id = map->value_id;
    }
    if (map->type == BPF_MAP_TYPE_ARRAY_OF_MAPS || map->type == BPF_MAP_TYPE_HASH_OF_MAPS)
        attr.inner_map_fd = inner_fd;
    int fd = bpf(BPF_MAP_CREATE, &attr);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? errno : 0;
}

// Maps that would take the machine's memory without being larger than all of it are not asked about.
static int needs_much(const struct map *map)
{
    double bytes = map->max * (map->value + 64.0);
    return map->type == BPF_MAP_TYPE_RINGBUF || map->type == BPF_MAP_TYPE_USER_RINGBUF ? map->max > 1 << 24
        : bytes > 1 << 26 && bytes < 1ull << 34;
}

// With the types of a BTF, or of the first where the kind of map cannot do without.
static void ask(struct map map, int btf_fd)
{
    if (!map.value_id && needs_types(map.type)) {
        map.key_id = map.value_id = values_of[0].keys[KEY_INT].id;
        btf_fd = values_of[0].btf_fd;
    }
    if (btf_fd < 0 || needs_much(&map)) {
        word[at++] = btf_fd < 0 ? 'x' : '-';
        return;
    }
    int error = create(&map, btf_fd);
    for (int tries = 0; error == ENOMEM && tries < 2; tries++) {    // the memory of the maps before may not be back yet
        usleep(50000);
        error = create(&map, btf_fd);
    }
    word[at++] = letter_of(error);
    cells++;
    if (word[at - 1] == '?' && notes++ < 40)
        printf("NOTE type %u flags %#x key %u value %u max %u extra %#llx: errno %d\n", map.type, map.flags, map.key,
            map.value, map.max, map.extra, error);
}

static void say(const char *type, const char *axis)
{
    word[at] = 0;
    printf("MAPS %s %s %s\n", type, axis, word);
    fflush(stdout);
    at = 0;
}

static int load_btf(int number)
{
    static char raw[1 << 16];
    union bpf_attr attr;
    char path[40];
    snprintf(path, sizeof path, "/btf/%d.btf", number);
    memset(&attr, 0, sizeof attr);
    attr.btf = (uintptr_t)raw;
    attr.btf_size = read(open(path, O_RDONLY), raw, sizeof raw);
    return bpf(BPF_BTF_LOAD, &attr);
}

static int read_value(FILE *list, struct value *value)
{
    int number;
    if (fscanf(list, "%d %u %u", &number, &value->type.id, &value->type.size) != 3)
        return 0;
    for (int k = 0; k < KEY_TYPES; k++)
        if (fscanf(list, "%u %u", &value->keys[k].id, &value->keys[k].size) != 2)
            return 0;
    value->btf_fd = load_btf(number);
    return 1;
}

static void print_list(const char *name, const unsigned *numbers, int count)
{
    printf("LIST %s %u", name, numbers[0]);
    for (int i = 1; i < count; i++)
        printf(",%u", numbers[i]);
    printf("\n");
}

int main(void)
{
    union bpf_attr attr;
    FILE *rows = fopen("/maps.rows", "r"), *list = fopen("/btf/list", "r");
    char line[200], name[100];
    struct map base = { 0 };
    printf("\n");
    memset(&attr, 0, sizeof attr);
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = attr.value_size = 4;
    attr.max_entries = 1;
    inner_fd = bpf(BPF_MAP_CREATE, &attr);
    while (list && value_count < COUNT(values_of) && read_value(list, &values_of[value_count]))
        value_count++;
    if (!rows || !value_count || values_of[0].btf_fd < 0 || inner_fd < 0)
        return finish();
    print_list("keys", keys, COUNT(keys));
    print_list("values", values, COUNT(values));
    print_list("few-values", few_values, COUNT(few_values));
    print_list("maxes", maxes, COUNT(maxes));
    print_list("few-maxes", few_maxes, COUNT(few_maxes));
    printf("LIST extras %llu", extras[0]);
    for (int i = 1; i < COUNT(extras); i++)
        printf(",%llu", extras[i]);
    printf("\n");
    while (fgets(line, sizeof line, rows)) {
        struct map map;
        if (line[0] == '#' || sscanf(line, "%u %99s %u %u %u %u", &base.type, name, &base.flags, &base.key, &base.value,
            &base.max) != 6)
            continue;
        printf("LIST base:%s %u,%u,%u,%u,%u\n", name, base.type, base.flags, base.key, base.value, base.max);
        for (int a = -1; a < 32; a++)
            for (int b = a + 1; b < 32; b++) {    // none, each flag, each pair of flags
                map = base;
                map.flags = (a < 0 ? 0 : 1u << a) | 1u << b;
                if (a < 0 && b == 0) {
                    map.flags = 0;
                    ask(map, 0);
                    map.flags = 1;
                }
                ask(map, 0);
            }
        say(name, "flags");
        for (int a = 0; a < 32; a++) {    // each flag beside those it has
            map = base;
            map.flags |= 1u << a;
            ask(map, 0);
        }
        say(name, "more-flags");
        for (int k = 0; k < COUNT(keys); k++)
            for (int v = 0; v < COUNT(values); v++) {
                map = base;
                map.key = keys[k];
                map.value = values[v];
                ask(map, 0);
            }
        say(name, "sizes");
        for (int m = 0; m < COUNT(maxes); m++)
            for (int v = 0; v < COUNT(few_values); v++) {
                map = base;
                map.max = maxes[m];
                map.value = few_values[v];
                ask(map, 0);
            }
        say(name, "entries");
        for (int m = 0; m < COUNT(few_maxes); m++)
            for (int a = 0; a < FLAGS; a++) {
                map = base;
                map.max = few_maxes[m];
                map.flags |= 1u << a;
                ask(map, 0);
            }
        say(name, "entries-flags");
        for (int v = 0; v < COUNT(few_values); v++)
            for (int a = 0; a < FLAGS; a++) {
                map = base;
                map.value = few_values[v];
                map.flags |= 1u << a;
                ask(map, 0);
            }
        say(name, "values-flags");
        for (int e = 0; e < COUNT(extras); e++)
            for (int m = 0; m < COUNT(few_maxes); m++) {
                map = base;
                map.extra = extras[e];
                map.max = few_maxes[m];
                ask(map, 0);
            }
        say(name, "extra");
        for (int access = 0; access < 2; access++) {
            for (int f = 0; f < (access ? ALONE : value_count); f++) {
                const struct value *v = &values_of[f];
                map = base;
                map.value_id = v->type.id;
                map.value = v->type.size;
                map.key_id = base.key == 0 ? 0 : v->keys[base.type == BPF_MAP_TYPE_LPM_TRIE ? KEY_PREFIX :
                    base.key == 8 ? KEY_LONG : KEY_INT].id;
                map.flags |= access ? BPF_F_RDONLY_PROG : 0;
                ask(map, v->btf_fd);
            }
            say(name, access ? "fields-rdonly" : "fields");
        }
        const struct type *types = values_of[0].keys;
        for (int k = -1; k < KEY_TYPES; k++)    // no type, and each, with its size and with the map's own
            for (int v = 0; v < KEY_TYPES; v++)
                for (int own = 0; own < 4; own++) {
                    map = base;
                    map.key_id = k < 0 ? 0 : types[k].id;
                    map.key = k < 0 || own & 1 ? base.key : types[k].size;
                    map.value_id = types[v].id;
                    map.value = own & 2 ? base.value : types[v].size;
                    ask(map, values_of[0].btf_fd);
                }
        say(name, "types");
    }
    printf("DONE %ld cells of maps\n", cells);
    return finish();
}
