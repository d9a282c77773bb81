/* Variables that other files may see lie in memory that user space maps, which no memory with a kptr may be. */
#include "bpf.h"

struct task_struct {
	int pid;
} __core;

struct task_struct __kptr *kept SEC(".bss.kept");
u64 hits;

SEC("syscall")
int count(void *ctx)
{
	struct task_struct *task = kept;

	if (task)
		hits++;
	return 0;
}
