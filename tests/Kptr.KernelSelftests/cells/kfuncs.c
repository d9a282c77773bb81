// Asks which functions of the kernel's BTF (/funcs: "id name") are kfuncs, with a program of each kind of /kinds (of the
// first five alone where the name does not begin with bpf_), and then for every row which of them such a program may
// call. The answers are a line "KFUNC name..." and a line "CALLS label WORD" with a character for each of them.
#include "cells.h"

enum { FUNCS_MAX = 200000 };

static struct { unsigned id; char name[100]; } funcs[FUNCS_MAX];

// '.' may not, 's' only sleepable programs may, '+' may: what is refused then, if anything, is the arguments.
static char ask(const struct row *row, unsigned id)
{
    struct bpf_insn insns[] = {
        { .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL, .imm = id },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    if (load(row, insns, 3))
        return '+';
    if (strstr(log_text, "is not allowed\n") || strstr(log_text, "cannot find address for kernel function"))
        return '.';
    if (strstr(log_text, "program must be sleepable to call sleepable kfunc"))
        return 's';
    return strstr(log_text, ": (85) call ") ? '+' : '?';    // else refused before it was called
}

int main(void)
{
    FILE *list = fopen("/funcs", "r"), *kinds = fopen("/kinds", "r"), *rows = fopen("/rows", "r");
    struct row row;
    static struct row kind[100];
    int count = 0, kind_count = 0, found = 0, cells = 0;
    static char word[FUNCS_MAX];
    printf("\n");
    if (!list || !kinds || !rows)
        return finish();
    while (kind_count < 100 && read_row(kinds, &kind[kind_count]))
        kind_count++;
    while (count < FUNCS_MAX && fscanf(list, "%u %99s", &funcs[count].id, funcs[count].name) == 2)
        count++;
    for (int i = 0; i < count; i++) {
        int asked = strncmp(funcs[i].name, "bpf_", 4) ? 5 : kind_count;
        for (int k = 0; k < asked; k++, cells++) {
            if (strchr("+s", ask(&kind[k], funcs[i].id))) {
                funcs[found++] = funcs[i];
                break;
            }
        }
    }
    printf("NOTE %d of %d functions are kfuncs, after %d programs\nKFUNC", found, count, cells);
    for (int i = 0; i < found; i++)
        printf(" %s", funcs[i].name);
    printf("\n");
    cells = 0;
    while (read_row(rows, &row)) {
        int noted = 0;
        for (int i = 0; i < found; i++, cells++) {
            word[i] = ask(&row, funcs[i].id);
            if (word[i] == '?' && !noted++)
                printf("NOTE %s %s: %.150s\n", row.label, funcs[i].name, log_text);
        }
        word[found] = 0;
        printf("CALLS %s %s\n", row.label, word);
        fflush(stdout);
    }
    printf("DONE %d cells of kfuncs\n", cells);
    return finish();
}
