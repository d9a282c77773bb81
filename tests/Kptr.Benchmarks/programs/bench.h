/* Context of every program: how much to do, and 4096 bytes to do it on. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

struct work {
	u64 rounds;
	u64 unused[7];
	u8 bytes[4096];
};

#define PROG __attribute__((section("syscall"), used))

char _license[] __attribute__((section("license"), used)) = "GPL";
