// SPDX-License-Identifier: MIT
// A kernel object that a user of the library declares, with kfuncs of his own.
#include "run.h"

struct widget {
	u32 colour;
} __attribute__((preserve_access_index));

extern struct widget *widget_create(u32 colour) __ksym;
extern u32 widget_colour(struct widget *w) __ksym;
extern void widget_put(struct widget *w) __ksym;

struct slot {
	struct widget __kptr *widget;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, struct slot);
} slots SEC(".maps");

SEC("syscall")
int keep(u32 *colour)
{
	struct slot fresh = {}, *slot;
	struct widget *widget, *old;
	u32 key = *colour, seen;

	bpf_map_update_elem(&slots, &key, &fresh, 0);
	slot = bpf_map_lookup_elem(&slots, &key);
	CHECK(slot);
	widget = widget_create(key);
	CHECK(widget);
	seen = widget_colour(widget);
	old = bpf_kptr_xchg(&slot->widget, widget);
	if (old)
		widget_put(old);
	return seen == key ? 0 : __LINE__;
}
