// Globals of all kinds, with gaps between them.
typedef unsigned char u8;
typedef unsigned long long u64;

struct settings { u8 kind; u64 limit; _Bool is_on; };

int data_first = 1;
static volatile int data_static = 2;
u64 data_last = 3;
u8 data_byte = 4;
u64 bss[3];
u8 bss_byte;
static volatile char bss_static[5];
const volatile struct settings settings = { 1, 2, 1 };
const volatile u8 mode = 1;
int custom __attribute__((section(".data.custom"))) = 5;

__attribute__((section("socket"), used)) int program(void *context)
{
	return data_static + bss_static[data_first & 3] + settings.kind + mode;
}
