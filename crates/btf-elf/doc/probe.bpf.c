// The BPF program of the documentation. Of it, probe.bpf.o is made with
//     clang -target bpfel -g -O2 -mcpu=v3 -fdebug-compilation-dir=. -c ./probe.bpf.c
//     llvm-strip -g probe.bpf.o
// SPDX-License-Identifier: MIT OR Apache-2.0
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))
#define __uint(name, value) int (*name)[value]
#define __type(name, type) type *name

struct list_head {
	struct list_head *next, *prev;
} CORE;
struct sk_buff {
	u32 len;
} CORE;
struct task_struct {
	int pid;
	struct list_head children;
} CORE;
// Before Linux 5.14.
struct task_struct___old {
	volatile long state;
} CORE;
struct key {
	u32 pid;
};
struct {
	__uint(type, 1);
	__uint(max_entries, 1024);
	__type(key, struct key);
	__type(value, u64);
} bytes_sent SEC(".maps");

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
const volatile u32 target_pid = 1;
u64 total;

SEC("fentry/consume_skb") int count(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct key key = { target_pid };
	u64 *sent = bpf_map_lookup_elem(&bytes_sent, &key);
	if (sent)
		__sync_fetch_and_add(sent, skb->len);
	total += skb->len;
	return 0;
}

SEC("tp_btf/sched_switch") int on_switch(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[1];
	struct task_struct___old *old = (void *)task;
	return task->pid == target_pid ? old->state : 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
