// What the programs of this folder share. Each is the first and only process of a kernel: it asks for every row of
// /rows ("label type attach btf flags") what its table is about, prints lines and turns the machine off.
#include <linux/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/reboot.h>
#include <sys/syscall.h>

struct row {
    char label[600];
    unsigned type, btf, flags;
    int attach;
};

static char log_text[1 << 20];

static inline int read_row(FILE *rows, struct row *row)
{
    return fscanf(rows, "%599s %u %d %u %u", row->label, &row->type, &row->attach, &row->btf, &row->flags) == 5;
}

static inline int bpf(int command, union bpf_attr *attr)
{
    return syscall(SYS_bpf, command, attr, sizeof *attr);
}

// The program's descriptor, or a negative number; log_text is what the verifier says.
static inline int load_fd(const struct row *row, const struct bpf_insn *insns, unsigned count)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = row->type;
    attr.expected_attach_type = row->attach < 0 ? 0 : row->attach;
    attr.attach_btf_id = row->btf;
    attr.prog_flags = row->flags;
    attr.insns = (uintptr_t)insns;
    attr.insn_cnt = count;
    attr.license = (uintptr_t)"GPL";
    attr.log_buf = (uintptr_t)log_text;
    attr.log_size = sizeof log_text;
    attr.log_level = 1;
    log_text[0] = 0;
    return bpf(BPF_PROG_LOAD, &attr);
}

static inline int load(const struct row *row, const struct bpf_insn *insns, unsigned count)
{
    int fd = load_fd(row, insns, count);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

// Types of map that cannot be without types of key and value.
static inline int needs_types(unsigned type)
{
    return type == BPF_MAP_TYPE_SK_STORAGE || type == BPF_MAP_TYPE_INODE_STORAGE || type == BPF_MAP_TYPE_TASK_STORAGE ||
        type == 32;    // BPF_MAP_TYPE_CGRP_STORAGE, which older headers lack
}

static inline int finish(void)
{
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    return 0;
}
