// The example of the documentation: clang -target bpfel -g -O2 -c
// -fdebug-compilation-dir=. ./socket.c, and of that
// object the .BTF section (btf extract), is socket.btf.
struct list_head { struct list_head *next, *prev; };
struct net_device { int ifindex; char name[16]; };
struct sk_buff { struct net_device *dev; unsigned int len, data_len; unsigned char cloned:1, nohdr:1; const unsigned char *data; struct sk_buff *next; struct list_head list; };
enum skb_drop_reason { SKB_NOT_DROPPED_YET, SKB_CONSUMED };
void consume_skb(struct sk_buff *skb) { enum skb_drop_reason reason = SKB_CONSUMED; __builtin_memset(skb->dev, reason, 4); }
