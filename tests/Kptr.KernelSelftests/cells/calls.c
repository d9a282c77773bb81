// Asks for every row of /callers, every helper of /calls.rows and every map of /maps.rows whether such a program may hand
// such a map to the helper. The answers are lines "MAPCALLS label/helper WORD" with a character for each map: '+' yes,
// 'm' not this map, 's' no sleepable program may use this map, 'o' refused for something else; no line where the program
// may not call the helper at all.
#include "cells.h"
#include <linux/btf.h>

enum { MAPS = 64, CALLS = 64, STACK = 256, TASK = 158, MAP_TYPE_ARENA = 33 };
#define ARENA_AT (1ull << 44)

struct call { unsigned helper; char args[5]; int values[5], count; };

static union bpf_attr made[MAPS];
static int maps[MAPS], map_count, call_count;
static struct call calls[CALLS];

// The descriptor of a BTF whose type 1 is int.
static int load_int(void)
{
    static const char names[] = "\0int";
    struct { struct btf_header header; unsigned type[4]; char names[sizeof names]; } raw = {
        { .magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof raw.header, .type_len = sizeof raw.type,
          .str_off = sizeof raw.type, .str_len = sizeof raw.names },
        { 1, BTF_KIND_INT << 24, 4, BTF_INT_SIGNED << 24 | 32 },
    };
    union bpf_attr attr;
    memcpy(raw.names, names, sizeof names);
    memset(&attr, 0, sizeof attr);
    attr.btf = (uintptr_t)&raw;
    attr.btf_size = sizeof raw.header + sizeof raw.type + sizeof raw.names;
    return bpf(BPF_BTF_LOAD, &attr);
}

static void read_maps(void)
{
    FILE *rows = fopen("/maps.rows", "r");
    char line[200], name[100];
    int btf_fd = load_int();
    union bpf_attr inner;
    memset(&inner, 0, sizeof inner);
    inner.map_type = BPF_MAP_TYPE_ARRAY;
    inner.key_size = inner.value_size = 4;
    inner.max_entries = 1;
    int inner_fd = bpf(BPF_MAP_CREATE, &inner);
    while (rows && map_count < MAPS && fgets(line, sizeof line, rows)) {
        union bpf_attr attr;
        memset(&attr, 0, sizeof attr);
        if (line[0] == '#' || sscanf(line, "%u %99s %u %u %u %u", &attr.map_type, name, &attr.map_flags, &attr.key_size,
            &attr.value_size, &attr.max_entries) != 6)
            continue;
        if (needs_types(attr.map_type)) {
            attr.btf_fd = btf_fd;
            attr.btf_key_type_id = attr.btf_value_type_id = 1;
        }
        if (attr.map_type == BPF_MAP_TYPE_ARRAY_OF_MAPS || attr.map_type == BPF_MAP_TYPE_HASH_OF_MAPS)
            attr.inner_map_fd = inner_fd;
        if (attr.map_type == MAP_TYPE_ARENA)
            attr.map_extra = ARENA_AT;
        made[map_count] = attr;
        maps[map_count] = bpf(BPF_MAP_CREATE, &attr);
        if (maps[map_count++] < 0)
            printf("NOTE no map of type %s: %d\n", name, errno);
    }
}

// Maps that can hold programs belong to the type of the first program that uses them.
static void renew_owned(void)
{
    for (int m = 0; m < map_count; m++)
        if (made[m].map_type == BPF_MAP_TYPE_PROG_ARRAY || made[m].map_type == BPF_MAP_TYPE_DEVMAP ||
            made[m].map_type == BPF_MAP_TYPE_CPUMAP) {
            close(maps[m]);
            maps[m] = bpf(BPF_MAP_CREATE, &made[m]);
        }
}

static void read_calls(void)
{
    FILE *rows = fopen("/calls.rows", "r");
    char line[200], words[5][20];
    while (rows && call_count < CALLS && fgets(line, sizeof line, rows)) {
        struct call *call = &calls[call_count];
        int count = sscanf(line, "%u %19s %19s %19s %19s %19s", &call->helper, words[0], words[1], words[2], words[3], words[4]);
        call->count = count - 1;
        for (int i = 0; i < call->count; i++) {
            call->args[i] = words[i][0] < 'a' ? '0' : words[i][0];
            sscanf(words[i], "%d", &call->values[i]);
        }
        call_count += count > 1;
    }
}

static struct bpf_insn move(int to, int from)
{
    return (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from };
}

static struct bpf_insn set(int to, int value)
{
    return (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = to, .imm = value };
}

static char ask(const struct row *row, const struct call *call, int map)
{
    struct bpf_insn insns[STACK / 8 + 20];
    int n = 0;
    insns[n++] = move(6, 1);
    for (int off = -STACK; off < 0; off += 8)
        insns[n++] = (struct bpf_insn){ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = off };
    if (memchr(call->args, 't', call->count)) {
        insns[n++] = (struct bpf_insn){ .code = BPF_JMP | BPF_CALL, .imm = TASK };
        insns[n++] = move(7, 0);
    }
    for (int i = 0; i < call->count; i++) {
        int reg = i + 1;
        switch (call->args[i]) {
        case 'm':
            insns[n++] = (struct bpf_insn){ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = reg, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map };
            insns[n++] = (struct bpf_insn){ 0 };
            break;
        case 'c':
            insns[n++] = move(reg, 6);
            break;
        case 't':
            insns[n++] = move(reg, 7);
            break;
        case 's':
            insns[n++] = move(reg, 10);
            insns[n++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = reg, .imm = -STACK };
            break;
        default:
            insns[n++] = set(reg, call->values[i]);
            break;
        }
    }
    insns[n++] = (struct bpf_insn){ .code = BPF_JMP | BPF_CALL, .imm = call->helper };
    insns[n++] = set(0, 0);
    insns[n++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
    if (load(row, insns, n))
        return '+';
    if (strstr(log_text, "cannot use helper") || strstr(log_text, "unknown func") || strstr(log_text, "invalid func") ||
        strstr(log_text, "helper call is not allowed in probe"))
        return '-';
    return strstr(log_text, "cannot pass map_type") ? 'm'
        : strstr(log_text, "leepable programs can only use") ? 's'
        : 'o';
}

static int is_taken(const struct row *row)
{
    for (int value = 0; value < 2; value++) {
        struct bpf_insn insns[] = { set(0, value), { .code = BPF_JMP | BPF_EXIT } };
        if (load(row, insns, 2))
            return 1;
    }
    return 0;
}

int main(void)
{
    FILE *rows = fopen("/callers", "r");
    struct row row;
    long cells = 0;
    printf("\n");
    read_maps();
    read_calls();
    while (rows && read_row(rows, &row))
        for (int i = 0; i < call_count && is_taken(&row); i++) {
            char word[MAPS + 1] = { 0 };
            renew_owned();
            for (int m = 0; m < map_count && strchr(word, '-') == NULL; m++, cells++)
                word[m] = maps[m] < 0 ? 'x' : ask(&row, &calls[i], maps[m]);
            if (!strchr(word, '-'))
                printf("MAPCALLS %s/%u %s\n", row.label, calls[i].helper, word);
            fflush(stdout);
        }
    printf("DONE %ld cells of maps in calls\n", cells);
    return finish();
}
