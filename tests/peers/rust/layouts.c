// Types whose layout generators of Rust get wrong, and structs that hold them.
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

struct nested_bits { u8 a; struct { u8 x; u32 y : 23; } b; };
struct packed_aligned { u8 a; struct __attribute__((packed, aligned(4))) { u32 x; u8 y; } p; };
union __attribute__((packed)) packed_union { u32 a; u8 b[5]; };
struct holds_packed_union { u8 a; union packed_union u; u8 z; };
union bits_union { u32 a : 3; u8 b; };
struct holds_bits_union { union bits_union u; u8 x; };
struct __attribute__((packed)) packed_int128 { u64 a; __int128 b; };

struct nested_bits *use_nested_bits;
struct packed_aligned *use_packed_aligned;
struct holds_packed_union *use_holds_packed_union;
struct holds_bits_union *use_holds_bits_union;
struct packed_int128 *use_packed_int128;
