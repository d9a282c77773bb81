// Asks for every row of /rows what a program gets that loads a word of its context: a line "ARGS label TYPE..." with the
// type of the register, as the verifier's log prints it, for the words at 0, 8, 16 and so on, '-' where they may not be
// loaded; a single 'x' where the target takes no program. The label ends in the prototype, which says how many words.
#include "cells.h"

static struct row row;

static int load_word(int off, char *said)
{
    union bpf_attr attr;
    struct bpf_insn insns[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
        { .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 2, .src_reg = 1, .off = off },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    memset(&attr, 0, sizeof attr);
    attr.prog_type = row.type;
    attr.expected_attach_type = row.attach < 0 ? 0 : row.attach;
    attr.attach_btf_id = row.btf;
    attr.prog_flags = row.flags;
    attr.insns = (uintptr_t)insns;
    attr.insn_cnt = 4;
    attr.license = (uintptr_t)"GPL";
    attr.log_buf = (uintptr_t)log_text;
    attr.log_size = sizeof log_text;
    attr.log_level = 2;
    log_text[0] = 0;
    int fd = bpf(BPF_PROG_LOAD, &attr);
    if (fd >= 0)
        close(fd);
    const char *line = strstr(log_text, "\n1: ("), *reg = line ? strstr(line, "R2_w=") : NULL;
    if (line && !reg)
        reg = strstr(line, "R2=");    // since 6.18
    if (!line)
        return 0;    // refused before its first instruction
    if (!reg || strstr(log_text, "invalid bpf_context access"))
        strcpy(said, "-");
    else {
        reg = strchr(reg, '=') + 1;
        snprintf(said, 200, "%.*s", (int)strcspn(reg, " \n"), reg);
    }
    return 1;
}

int main(void)
{
    FILE *rows = fopen("/rows", "r");
    long cells = 0;
    int missing = 0;
    char said[200];
    printf("\n");
    while (rows && read_row(rows, &row)) {
        int words = 2;
        for (const char *c = row.label; *c; c++)
            words += *c == ',';
        printf("ARGS %s", row.label);
        for (int i = 0; i < words; i++, cells++) {
            if (!load_word(i * 8, said)) {
                printf(" x");
                missing++;
                break;
            }
            printf(" %s", said);
        }
        printf("\n");
    }
    printf("DONE %ld cells of arguments, %d targets take no program\n", cells, missing);
    return finish();
}
