// Asks of every function of the kernel's BTF (/funcs: "id name") whether a program may be attached to it, one of each way
// of WAYS. The answers are a line "ATTACH name WORD" with a character for each way.
#include "cells.h"

// fentry, fexit, fmod_ret, and fentry and fmod_ret of programs that may sleep.
static const struct row ways[] = {
    { "fentry", 26, 0, 0, 24 }, { "fexit", 26, 0, 0, 25 }, { "fmod_ret", 26, 0, 0, 26 },
    { "fentry.s", 26, 0, 16, 24 }, { "fmod_ret.s", 26, 0, 16, 26 },
};

enum { WAYS = sizeof ways / sizeof *ways };

// '+' yes; 'a' it has no address, 'p' its prototype, 'm' its result may not be changed, 's' it may not sleep, 'r' it does not
// return, 'd' it is denied; '?' the kernel said something else.
static char ask(const struct row *way, unsigned id)
{
    static const struct { const char *says; char letter; } reasons[] = {
        { "cannot be found", 'a' }, { "Too many", 'p' }, { "is unsupported", 'p' }, { "() is not modifiable", 'm' },
        { "not allowed for fmod_ret", 'p' }, { "is not sleepable", 's' }, { "__noreturn", 'r' }, { "is rejected", 'd' },
    };
    struct bpf_insn insns[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    struct row row = *way;
    row.btf = id;
    if (load(&row, insns, 2))
        return '+';
    for (unsigned i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (strstr(log_text, reasons[i].says))
            return reasons[i].letter;
    }
    return strstr(log_text, "processed 0 insns") == log_text ? 'd' : '?';    // nothing is said before 6.15
}

int main(void)
{
    FILE *list = fopen("/funcs", "r");
    unsigned id;
    char name[200], word[WAYS + 1] = { 0 };
    int cells = 0, noted = 0;
    printf("\n");
    while (list && fscanf(list, "%u %199s", &id, name) == 2) {
        for (int i = 0; i < WAYS; i++, cells++) {
            word[i] = ask(&ways[i], id);
            if (word[i] == '?' && noted++ < 10)
                printf("NOTE %s %s: %.150s\n", ways[i].label, name, log_text);
        }
        printf("ATTACH %s %s\n", name, word);
    }
    printf("DONE %d cells of functions\n", cells);
    return finish();
}
