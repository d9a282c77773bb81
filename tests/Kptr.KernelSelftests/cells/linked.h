// Reads the file that LinkedFile.cs writes: a BTF, maps and programs that stand on them; makes and loads them.
#include "cells.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAPS_MAX = 128, MAP_BYTES = 48, LOG_ERRORS_AND_STATS = 4 };

static unsigned char *at;    // what of the file comes next
static unsigned char *map_at[MAPS_MAX];
static int btf_fd;

static unsigned word(void)
{
    unsigned value;
    memcpy(&value, at, 4);
    at += 4;
    return value;
}

static void load_btf(void)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.btf_size = word();
    attr.btf = (uintptr_t)at;
    at += attr.btf_size;
    btf_fd = bpf(BPF_BTF_LOAD, &attr);
    if (btf_fd >= 0)
        return;
    attr.btf_log_buf = (uintptr_t)log_text;
    attr.btf_log_size = sizeof log_text;
    attr.btf_log_level = 1;
    bpf(BPF_BTF_LOAD, &attr);
    char *end = strrchr(log_text, '[');    // its last type
    printf("NOTE the BTF is refused: %s\n", end ? end : log_text);
}

static int create_map(void);

// The maps that come next, which maps of maps before them may be made of.
static inline unsigned find_maps(void)
{
    unsigned count = word();
    for (unsigned i = 0; i < count && i < MAPS_MAX; i++, at += MAP_BYTES)
        map_at[i] = at;
    return count;
}

// A map like number, which no life has.
static int create_numbered(unsigned number)
{
    unsigned char *back = at;
    at = map_at[number];
    int fd = create_map();
    at = back;
    return fd;
}

static int create_map(void)
{
    union bpf_attr attr;
    unsigned inner;
    memset(&attr, 0, sizeof attr);
    attr.map_type = word();
    attr.key_size = word();
    attr.value_size = word();
    attr.max_entries = word();
    attr.map_flags = word();
    attr.btf_key_type_id = word();
    attr.btf_value_type_id = word();
    if (attr.btf_value_type_id)
        attr.btf_fd = btf_fd;
    inner = word();    // the number of a map of maps' inner map plus one
    if (inner)
        attr.inner_map_fd = create_numbered(inner - 1);
    memcpy(attr.map_name, at, sizeof attr.map_name);
    at += sizeof attr.map_name;
    int fd = bpf(BPF_MAP_CREATE, &attr);
    if (fd < 0)
        printf("NOTE map %s is refused: %d\n", attr.map_name, errno);
    if (inner)
        close(attr.inner_map_fd);
    return fd;
}

// The program that is next in the file, on these maps; its number in the file is where number points.
static int load_program(const int *fds, unsigned *number)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    *number = word();
    attr.prog_type = word();
    attr.expected_attach_type = word();
    attr.attach_btf_id = word();
    attr.prog_flags = word();
    attr.prog_btf_fd = btf_fd;
    attr.func_info_cnt = word();
    attr.func_info_rec_size = 8;
    attr.func_info = (uintptr_t)at;
    at += 8 * attr.func_info_cnt;
    unsigned maps[MAPS_MAX], map_count = word();
    for (unsigned i = 0; i < map_count; i++)
        maps[i] = word();
    attr.insn_cnt = word();
    struct bpf_insn *insns = malloc(sizeof *insns * attr.insn_cnt);
    memcpy(insns, at, sizeof *insns * attr.insn_cnt);
    attr.insns = (uintptr_t)insns;
    at += sizeof *insns * attr.insn_cnt;
    for (unsigned i = 0; i < attr.insn_cnt; i++) {
        if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
            continue;
        if (insns[i].src_reg == BPF_PSEUDO_MAP_FD && (unsigned)insns[i].imm < map_count)
            insns[i].imm = fds[maps[insns[i].imm]];
        i++;
    }
    attr.license = (uintptr_t)"GPL";
    attr.log_buf = (uintptr_t)log_text;
    attr.log_size = sizeof log_text;
    attr.log_level = LOG_ERRORS_AND_STATS;
    log_text[0] = 0;
    int fd = bpf(BPF_PROG_LOAD, &attr), error = errno;
    free(insns);
    errno = error;
    return fd;
}

static int read_file(const char *path)
{
    struct stat file;
    int fd = open(path, O_RDONLY);
    return fd >= 0 && fstat(fd, &file) == 0 && (at = malloc(file.st_size))
        && read(fd, at, file.st_size) == file.st_size;
}
