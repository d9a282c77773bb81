// SPDX-License-Identifier: MIT
// LSM programs that hold keys and files. They let everything pass and leave in `failed` the line that failed.
#include "run.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct path { void *dentry; };
struct file { unsigned int f_flags; struct path f_path; };
struct key { int serial; };
struct bpf_key { struct key *key; bool has_ref; };
#pragma clang attribute pop

extern struct bpf_key *bpf_lookup_user_key(u32 serial, u64 flags) __ksym;
extern struct bpf_key *bpf_lookup_system_key(u64 id) __ksym;
extern void bpf_key_put(struct bpf_key *key) __ksym;
extern struct file *bpf_get_task_exe_file(struct task_struct *task) __ksym;
extern void bpf_put_file(struct file *file) __ksym;
extern int bpf_path_d_path(struct path *path, char *buf, u64 size) __ksym;

static long (*const bpf_d_path)(struct path *path, char *buf, u32 size) = (void *)147;

u64 failed;
char exe[32];
char opened[32];

static __always_inline int check_keys(void)
{
	struct bpf_key *user, *system;

	user = bpf_lookup_user_key(-1, 0);
	if (user) {
		bpf_key_put(user);
		return __LINE__;
	}
	user = bpf_lookup_user_key(42, 4);
	if (user) {
		bpf_key_put(user);
		return __LINE__;
	}
	system = bpf_lookup_system_key(7);
	if (system) {
		bpf_key_put(system);
		return __LINE__;
	}

	user = bpf_lookup_user_key(42, 1);
	CHECK(user);
	system = bpf_lookup_system_key(1);
	if (!system) {
		bpf_key_put(user);
		return __LINE__;
	}
	bpf_key_put(user);
	bpf_key_put(system);
	return 0;
}

SEC("lsm.s/file_open")
int keys(u64 *ctx)
{
	failed = check_keys();
	return 0;
}

static __always_inline int check_files(struct file *file)
{
	struct file *mine = bpf_get_task_exe_file(bpf_get_current_task_btf());
	char small[4];
	long length, too_long;

	CHECK(mine);
	length = bpf_path_d_path(&mine->f_path, exe, sizeof(exe));
	too_long = bpf_path_d_path(&mine->f_path, small, sizeof(small));
	bpf_put_file(mine);
	CHECK(length == 11 && too_long == -36);
	CHECK(bpf_path_d_path(&file->f_path, opened, sizeof(opened)) == 12);
	CHECK(bpf_d_path(&file->f_path, opened, sizeof(opened)) == 12);
	return 0;
}

SEC("lsm/file_open")
int files(u64 *ctx)
{
	failed = check_files((struct file *)ctx[0]);
	return 0;
}
