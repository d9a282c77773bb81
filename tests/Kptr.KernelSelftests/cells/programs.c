// Loads the programs of /programs (see GeneratedFile.cs), which share a BTF and maps, and prints what the verifier says of
// each: "PROG number errno instructions-processed last-line-of-the-log".
#include "cells.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAPS_MAX = 64, LOG_ERRORS_AND_STATS = 4 };

static unsigned char *at;
static int btf_fd, map_fds[MAPS_MAX];

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
    attr.btf_log_buf = (uintptr_t)log_text;
    attr.btf_log_size = sizeof log_text;
    attr.btf_log_level = 1;
    at += attr.btf_size;
    btf_fd = bpf(BPF_BTF_LOAD, &attr);
    if (btf_fd < 0)
        printf("NOTE the BTF is refused: %s\n", log_text);
}

static int create_map(void)
{
    union bpf_attr attr;
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
    memcpy(attr.map_name, at, sizeof attr.map_name);
    at += sizeof attr.map_name;
    int fd = bpf(BPF_MAP_CREATE, &attr);
    if (fd < 0)
        printf("NOTE map %s is refused: %d\n", attr.map_name, errno);
    return fd;
}

// The last line before the statistics, which begin with the time, and how many instructions these say were processed.
static int last_line(char **line)
{
    char *count = strstr(log_text, "\nprocessed "), *end = strstr(log_text, "verification time ");
    int processed = count ? atoi(count + strlen("\nprocessed ")) : -1;
    if (!end)
        end = log_text + strlen(log_text);
    do {
        while (end > log_text && end[-1] == '\n')
            end--;
        *end = 0;
        *line = strrchr(log_text, '\n') ? strrchr(log_text, '\n') + 1 : log_text;
        end = *line;
    } while (end > log_text && strstr(*line, " state:"));    // the states of an infinite loop, which follow the message
    return processed;
}

static void load_one(void)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    unsigned number = word();
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
    attr.insns = (uintptr_t)at;
    struct bpf_insn *insns = (struct bpf_insn *)at;
    at += sizeof *insns * attr.insn_cnt;
    for (unsigned i = 0; i < attr.insn_cnt; i++) {
        if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
            continue;
        if (insns[i].src_reg == BPF_PSEUDO_MAP_FD && (unsigned)insns[i].imm < map_count)
            insns[i].imm = map_fds[maps[insns[i].imm]];
        i++;
    }
    attr.license = (uintptr_t)"GPL";
    attr.log_buf = (uintptr_t)log_text;
    attr.log_size = sizeof log_text;
    attr.log_level = LOG_ERRORS_AND_STATS;
    log_text[0] = 0;
    int fd = bpf(BPF_PROG_LOAD, &attr), error = fd < 0 ? errno : 0;
    char *line;
    int processed = last_line(&line);
    printf("PROG %u %d %d %s\n", number, error, processed, line);
    fflush(stdout);
    if (fd >= 0)
        close(fd);
}

int main(void)
{
    struct stat file;
    int fd = open("/programs", O_RDONLY);
    printf("\n");
    if (fd < 0 || fstat(fd, &file) < 0 || !(at = malloc(file.st_size)) || read(fd, at, file.st_size) != file.st_size)
        return finish();
    load_btf();
    unsigned count = word();
    for (unsigned i = 0; i < count && i < MAPS_MAX; i++)
        map_fds[i] = create_map();
    count = word();
    for (unsigned i = 0; i < count; i++)
        load_one();
    printf("DONE %u programs\n", count);
    return finish();
}
