/* CO-RE relocations of every kind, against types that a test declares in C as "the kernel's". */
#include "bpf.h"

enum color { RED = 1, GREEN = 2 };
enum color___old { GONE___old = 9 };
enum big { HUGE = 0x100000000ULL };

struct point {
	int x;
	int y;
} __core;

struct shape {
	struct point origin;
	struct point corners[4];
	union {
		u32 anonymous;
		u64 wide;
	};
	u32 flags : 3;
	s32 level : 5;
	struct point *next;
	u32 narrow;
} __core;

struct shape___flavour {
	int moved_only_in_flavour;
} __core;

struct missing {
	int nothing;
} __core;

typedef int (*handler_t)(struct shape *, int);

#define field_info(field, kind) __builtin_preserve_field_info(field, kind)
#define type_info(type, kind) __builtin_preserve_type_info(*(type *)0, kind)
#define enum_info(type, value, kind) __builtin_preserve_enum_value(*(type *)value, kind)

SEC("raw_tp/sys_enter")
int offsets(struct shape *s)
{
	return s->origin.y + s->corners[2].x + s->anonymous + s->narrow;
}

SEC("raw_tp/sys_enter")
int sizes(struct shape *s)
{
	return field_info(s->corners, 1) + field_info(s->next, 1) + field_info(s->narrow, 1);
}

SEC("raw_tp/sys_enter")
int existence(struct shape *s)
{
	struct shape___flavour *f = (void *)s;
	struct missing *m = (void *)s;

	return field_info(s->narrow, 2) + field_info(f->moved_only_in_flavour, 2) * 2 + field_info(m->nothing, 2) * 4;
}

SEC("raw_tp/sys_enter")
int bitfields(struct shape *s)
{
	return field_info(s->level, 0) + field_info(s->level, 1) + field_info(s->level, 3) + field_info(s->level, 4) +
	       field_info(s->level, 5) + field_info(s->flags, 3);
}

SEC("raw_tp/sys_enter")
int types(void *ctx)
{
	return type_info(struct shape, 0) + type_info(struct missing, 0) * 2 + type_info(struct shape, 1) +
	       type_info(struct point, 2) * 64 + type_info(handler_t, 0) * 256;
}

SEC("raw_tp/sys_enter")
u64 type_ids(void *ctx)
{
	return __builtin_btf_type_id(*(struct shape *)0, 0) + __builtin_btf_type_id(*(struct shape *)0, 1);
}

SEC("raw_tp/sys_enter")
u64 enums(void *ctx)
{
	return enum_info(enum color, GREEN, 0) + enum_info(enum color, GREEN, 1) +
	       enum_info(enum color___old, GONE___old, 0) + enum_info(enum big, HUGE, 1);
}

SEC("raw_tp/sys_enter")
int poisoned(struct missing *m)
{
	return m->nothing;
}
