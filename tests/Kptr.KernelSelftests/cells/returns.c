// Asks for every row which values such a program may return: a line "RETURNS label WORD" with a character for each of the
// values below, '+' accepted, '.' refused for the value, 'k' because it is no number, 'n' because nothing was returned; a
// single 'x' where no program of the row is accepted.
#include "cells.h"

static const int64_t values[] = { INT64_MIN, -(1ll << 32), -4096, -4095, -4094, -100, -1, 0, 1, 2, 3, 4, 5, 7, 255, 256,
    INT32_MAX, 1ll << 31, UINT32_MAX - 4094, UINT32_MAX, 1ll << 32, INT64_MAX };

enum { VALUES = sizeof values / sizeof *values, OTHERS = 8 };

static int fill(struct bpf_insn *insns, int cell)
{
    static const struct bpf_insn leave = { .code = BPF_JMP | BPF_EXIT };
    static const struct bpf_insn unknown = { .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 0, .src_reg = 10, .off = -8 };
    if (cell < VALUES) {
        insns[0] = (struct bpf_insn){ .code = BPF_LD | BPF_IMM | BPF_DW, .imm = (int32_t)values[cell] };
        insns[1] = (struct bpf_insn){ .imm = (int32_t)(values[cell] >> 32) };
        insns[2] = leave;
        return 3;
    }
    insns[0] = unknown;    // what was on the stack
    insns[2] = leave;
    switch (cell - VALUES) {
    case 0:    // any number
        insns[1] = leave;
        return 2;
    case 1:    // any of 32 bits
        insns[1] = (struct bpf_insn){ .code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = 0, .src_reg = 0 };
        return 3;
    case 2:    // 0 or 1
        insns[1] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = 0, .imm = 1 };
        return 3;
    case 3:    // 0 to 3
        insns[1] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = 0, .imm = 3 };
        return 3;
    case 4:    // 0 or -1, as 64 bits
        insns[1] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_ARSH | BPF_K, .dst_reg = 0, .imm = 63 };
        return 3;
    case 5:    // 0 or -1, as 32 bits
        insns[1] = (struct bpf_insn){ .code = BPF_ALU | BPF_ARSH | BPF_K, .dst_reg = 0, .imm = 31 };
        return 3;
    case 6:    // an address
        insns[0] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 0, .src_reg = 10 };
        insns[1] = leave;
        return 2;
    default:    // nothing
        insns[0] = leave;
        return 1;
    }
}

static char ask(const struct row *row, int cell)
{
    struct bpf_insn insns[3];
    if (load(row, insns, fill(insns, cell)))
        return '+';
    return strstr(log_text, "should have been in ") ? '.' : strstr(log_text, "is not a known value") ? 'k'
        : strstr(log_text, "R0 !read_ok") ? 'n' : '?';
}

int main(void)
{
    FILE *rows = fopen("/rows", "r"), *hooks = fopen("/hooks", "r");
    struct row row;
    long cells = 0;
    int notes = 0;
    printf("\n");
    while ((rows && read_row(rows, &row)) || (hooks && read_row(hooks, &row))) {
        char word[VALUES + OTHERS + 1] = { 0 };
        int other = 0;
        for (int cell = 0; cell < VALUES + OTHERS; cell++, cells++) {
            word[cell] = ask(&row, cell);
            other += word[cell] == '?';
        }
        if (other == VALUES + OTHERS)
            strcpy(word, "x");
        if (other && notes++ < 30)
            printf("NOTE %s: %.150s\n", row.label, log_text);
        printf("RETURNS %s %s\n", row.label, word);
    }
    printf("DONE %ld cells of return values\n", cells);
    return finish();
}
