// Loads the programs of /programs (see LinkedFile.cs), which share a BTF and maps, and prints what the verifier says of
// each: "PROG number errno instructions-processed last-line-of-the-log".
#include "linked.h"

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

static void judge_one(const int *map_fds)
{
    unsigned number;
    int fd = load_program(map_fds, &number), error = fd < 0 ? errno : 0;
    char *line;
    int processed = last_line(&line);
    printf("PROG %u %d %d %s\n", number, error, processed, line);
    fflush(stdout);
    if (fd >= 0)
        close(fd);
}

int main(void)
{
    int map_fds[MAPS_MAX];
    printf("\n");
    if (!read_file("/programs"))
        return finish();
    load_btf();
    unsigned count = word();
    for (unsigned i = 0; i < count && i < MAPS_MAX; i++)
        map_fds[i] = create_map();
    count = word();
    for (unsigned i = 0; i < count; i++)
        judge_one(map_fds);
    printf("DONE %u programs\n", count);
    return finish();
}
