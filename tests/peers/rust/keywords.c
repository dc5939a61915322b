// Names that are keywords of Rust.
enum match { self, crate = 2 };
struct ref { enum match type; int loop; } *use_ref;
unsigned long long type = 1;
