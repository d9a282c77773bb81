// Asks for every row and every helper whether such a program may call it, and for every place of the row's context which
// loads and stores are taken. The answers are a line "HELPERS label WORD" with a character for each helper
// and, where no BTF describes the context, a line "PLACES label WORD" with two hexadecimal digits for each byte offset:
// bits 0 to 3 are loads of 1, 2, 4 and 8 bytes, bits 4 to 7 stores.
#include "cells.h"

enum { HELPERS = 211, PLACES = 224 };

// '.' cannot use the helper, 'p' not at this attach target, 's' it might sleep and the program may not, '+' may call it;
// '?' the kernel said something else.
static char ask_helper(const struct row *row, int helper)
{
    struct bpf_insn insns[] = {
        { .code = BPF_JMP | BPF_CALL, .imm = helper },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    if (load(row, insns, 3))
        return '+';
    if (strstr(log_text, "cannot use helper") || strstr(log_text, "unknown func") || strstr(log_text, "invalid func"))
        return '.';
    if (strstr(log_text, "helper call is not allowed in probe"))
        return 'p';
    if (strstr(log_text, "helper call might sleep in a non-sleepable prog") || strstr(log_text, "sleepable helper"))
        return 's';
    return strstr(log_text, "call bpf_") ? '+' : '?';
}

// 1 taken, 0 refused, -1 the kernel said something else.
static int ask_place(const struct row *row, int off, int size, int store)
{
    static const int sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };
    struct bpf_insn insns[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1 },
        { .code = BPF_LDX | BPF_MEM | sizes[size], .dst_reg = 2, .src_reg = 1, .off = off },
        { .code = BPF_JMP | BPF_EXIT },
    };
    if (store)
        insns[1] = (struct bpf_insn){ .code = BPF_STX | BPF_MEM | sizes[size], .dst_reg = 1, .src_reg = 0, .off = off };
    return load(row, insns, 3) ? 1 : strstr(log_text, "invalid bpf_context access") ? 0 : -1;
}

int main(void)
{
    FILE *rows = fopen("/rows", "r");
    struct row row;
    int cells = 0, places = 0;
    printf("\n");    // what the firmware left on the line
    while (rows && read_row(rows, &row)) {
        char word[HELPERS + 1] = { 0 };
        int noted = 0;
        for (int helper = 1; helper <= HELPERS; helper++, cells++) {
            word[helper - 1] = ask_helper(&row, helper);
            if (word[helper - 1] == '?' && !noted++)
                printf("NOTE %s helper %d: %.150s\n", row.label, helper, log_text);
        }
        printf("HELPERS %s %s\n", row.label, word);
        if (row.btf)
            continue;
        printf("PLACES %s ", row.label);
        char notes[4096] = "";
        for (int off = 0; off < PLACES; off++) {
            unsigned mask = 0;
            for (int bit = 0; bit < 8; bit++, places++) {
                int said = ask_place(&row, off, bit & 3, bit >> 2);
                mask |= (said == 1) << bit;
                if (said < 0 && !notes[0])
                    snprintf(notes, sizeof notes, "NOTE %s place %d bit %d: %.300s\n", row.label, off, bit, log_text);
            }
            printf("%02x", mask);
        }
        printf("\n%s", notes);
        fflush(stdout);
    }
    printf("DONE %d cells of helpers, %d of places\n", cells, places);
    return finish();
}
