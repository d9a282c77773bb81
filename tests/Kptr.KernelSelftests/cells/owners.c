// Asks for every pair of rows of /pairs whether programs of both kinds may use one map that can hold programs: such a
// map belongs to the first. The answers are a line "OWNERS label WORD" with three characters for each second kind, for an
// array of programs, a map of devices and one of CPUs: '+' both load, '.' the second does not, '?' one of them never does.
#include "cells.h"

enum { KINDS = 150, TYPES = 3 };

static const unsigned types[TYPES] = { BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_CPUMAP };
static struct row kinds[KINDS];
static char alone[KINDS][TYPES];
static int count;

static int new_map(unsigned type)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_type = type;
    attr.key_size = attr.value_size = 4;
    attr.max_entries = 4;
    return bpf(BPF_MAP_CREATE, &attr);
}

static int uses(const struct row *row, int map)
{
    for (int value = 0; value < 2; value++) {
        struct bpf_insn insns[] = {
            { .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 2, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
            { 0 },
            { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = value },
            { .code = BPF_JMP | BPF_EXIT },
        };
        int fd = load_fd(row, insns, 4);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

static char ask(int first, int second, int type)
{
    if (!alone[first][type] || !alone[second][type])
        return '?';
    int map = new_map(types[type]), a = uses(&kinds[first], map), b = uses(&kinds[second], map);
    char said = a < 0 ? '?' : b < 0 ? '.' : '+';
    if (a >= 0)
        close(a);
    if (b >= 0)
        close(b);
    close(map);
    return said;
}

// Runs of a character as that character and how many.
static void print_packed(const char *word)
{
    while (*word) {
        int run = strspn(word, (char[]){ *word, 0 });
        putchar(*word);
        if (run > 1)
            printf("%d", run);
        word += run;
    }
}

int main(void)
{
    FILE *rows = fopen("/pairs", "r");
    printf("\n");
    while (rows && count < KINDS && read_row(rows, &kinds[count]))
        count++;
    for (int i = 0; i < count; i++)
        for (int t = 0; t < TYPES; t++) {
            int map = new_map(types[t]), fd = uses(&kinds[i], map);
            alone[i][t] = fd >= 0;
            if (fd >= 0)
                close(fd);
            close(map);
        }
    printf("OWNER-KINDS");
    for (int i = 0; i < count; i++)
        printf(" %s", kinds[i].label);
    printf("\n");
    for (int i = 0; i < count; i++) {
        char word[KINDS * TYPES + 1] = { 0 };
        for (int j = 0; j < count; j++)
            for (int t = 0; t < TYPES; t++)
                word[j * TYPES + t] = ask(i, j, t);
        printf("OWNERS %s ", kinds[i].label);
        print_packed(word);
        printf("\n");
        fflush(stdout);
    }
    printf("DONE %d cells of owners\n", count * count * TYPES);
    return finish();
}
