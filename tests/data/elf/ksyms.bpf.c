/* Kernel functions and variables by name: found, weak and missing, of another type, with a flavour. */
#include "bpf.h"

struct task_struct {
	int pid;
};

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void bpf_task_release___other(struct task_struct *p) __ksym __weak;
extern void bpf_never_there(void) __ksym __weak;
extern void bpf_task_release___wrong(int a, int b) __ksym __weak;
extern const int runqueues __ksym;
extern const int no_such_variable __ksym __weak;
extern const void init_task __ksym;
extern const void no_such_symbol __ksym __weak;
extern void bpf_strong_missing(void) __ksym;

SEC("tp_btf/task_newtask")
int found(u64 *ctx)
{
	struct task_struct *p = bpf_task_acquire((void *)ctx[0]);

	if (p)
		bpf_task_release___other(p);
	return runqueues;
}

SEC("lsm.s/file_open")
int weak(u64 *ctx)
{
	if (bpf_never_there)
		bpf_never_there();
	if (&no_such_variable)
		return no_such_variable;
	if (bpf_task_release___wrong)
		bpf_task_release___wrong(1, 2);
	return (int)(u64)&init_task + (int)(u64)&no_such_symbol;
}

SEC("fentry/do_exit")
int missing(u64 *ctx)
{
	bpf_strong_missing();
	return 0;
}

SEC("iter/task")
int no_target(u64 *ctx)
{
	return 0;
}
