//! `btf verify`: prediction of the result of BPF_BTF_LOAD.

use btf_build::{Reject, Verify};
use btf_kernel::{Kernel, supported_features};
use btf_types::{
    ByteOrder, Kind,
    format::{FeatureSet, KernelVersion},
};
use clap::Args;

use crate::{
    Result,
    json::Json,
    output::Stdout,
    source::{Blob, Source},
    write::encode::Order,
};

/// Maximum number of characters of a name in a message. Kernels accept names of
/// up to 511 bytes.
const NAME: usize = 512;

/// Arguments of `btf verify`.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 if the kernel accepts the BTF, 1 if it rejects it, 2 if there is nothing to be verified.\n\nExamples:\n  btf verify prog.bpf.o\n  btf verify prog.bpf.o --kernel 5.4\n  btf verify --module openvswitch\n  btf verify damaged.btf --json"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The kernel version. Default: that of the running kernel, with the
    /// features found by probing, if permitted.
    #[arg(long, value_name = "VERSION")]
    kernel: Option<KernelVersion>,
    /// The byte order of the kernel. Default: native.
    #[arg(long, value_enum, value_name = "ORDER")]
    byte_order: Option<Order>,
    /// Verify the BTF of a BPF object as stored in the file, instead of with
    /// its DATASECs fixed up as by a loader.
    #[arg(long)]
    as_is: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Returns `true` if the kernel accepts the BTF.
pub(crate) fn run(arguments: &Arguments, out: &mut Stdout) -> Result<bool> {
    let Blob { bytes, base, name } = arguments.source.blob(arguments.as_is)?;
    let (mut verify, version) = match arguments.kernel {
        Some(version) => (Verify::kernel(version), version),
        None => of_system(&arguments.source)?,
    };
    let order = arguments.byte_order.map_or(ByteOrder::NATIVE, Into::into);
    verify = verify.byte_order(order);
    let (verdict, is_proved) = match &base {
        Some(base) => (verify.verify_module(&bytes, base), false),
        None => (verify.verify(&bytes), verify.is_proved()),
    };
    if arguments.json {
        write_json(&verdict, version, is_proved, out)?;
        return Ok(verdict.is_ok());
    }
    let unproved = if is_proved { "" } else { " (unproved)" };
    match &verdict {
        Ok(()) => writeln!(out, "{name}: Linux {version} accepts the BTF{unproved}")?,
        Err(reject) => {
            let reject = with_short_name(reject);
            writeln!(out, "{name}: Linux {version} rejects the BTF{unproved}: {reject}{}", hint(&bytes, order))?;
        }
    }
    Ok(verdict.is_ok())
}

/// Returns the text of a rejection, with the name cut if it is very long.
fn with_short_name(reject: &Reject) -> String {
    let text = reject.to_string();
    let name = reject.name().to_string();
    match name.char_indices().nth(NAME) {
        Some((cut, _)) => text.replacen(&name, &format!("{}...", name.get(..cut).unwrap_or_default()), 1),
        None => text,
    }
}

/// Returns the prediction for the kernel of the source, or the running one.
fn of_system(source: &Source) -> Result<(Verify, KernelVersion)> {
    let kernel = source.kernel();
    let release = kernel.release().map_err(|error| format!("{error}; give a version with --kernel"))?;
    let version = release.parse().map_err(|error| format!("kernel {release}: {error}; give one with --kernel"))?;
    let verify = match kernel.is_running().then(|| probed(version)) {
        Some(Ok(verify)) => verify,
        _ => Verify::kernel(version),
    };
    Ok((verify, version))
}

/// Returns the prediction for the running kernel of this version, with probed
/// features, as distributions backport them.
fn probed(version: KernelVersion) -> std::result::Result<Verify, btf_kernel::Error> {
    let features = supported_features()?.into_iter().chain(FeatureSet::of(version)).collect();
    Ok(Verify::kernel(version).features(features))
}

/// Returns a hint for BTF of another byte order than the kernel's.
fn hint(bytes: &[u8], kernel: ByteOrder) -> String {
    let option = |order| if order == ByteOrder::Big { "be" } else { "le" };
    match bytes.first_chunk().and_then(|magic| ByteOrder::of_magic(*magic)) {
        Some(order) if order != kernel => format!(
            "; it is {order}: `btf encode --byte-order {}` converts it, as `btf kernel load` does; \
            --byte-order {} verifies it for a kernel of its byte order",
            option(kernel),
            option(order)
        ),
        _ => String::new(),
    }
}

fn write_json(
    verdict: &std::result::Result<(), Reject>,
    version: KernelVersion,
    is_proved: bool,
    out: &mut Stdout,
) -> Result {
    let mut json = Json::new(out);
    json.begin_object()?;
    json.key("kernel")?;
    json.display(version)?;
    json.key("is_proved")?;
    json.bool(is_proved)?;
    json.key("accepted")?;
    json.bool(verdict.is_ok())?;
    if let Err(reject) = verdict {
        json.key("type")?;
        json.number(reject.id())?;
        json.key("kind")?;
        match reject.kind() {
            Some(kind) => json.str(Kind::as_str(kind))?,
            None => json.null()?,
        }
        json.key("name")?;
        json.name(reject.name())?;
        json.key("element")?;
        json.maybe(reject.element())?;
        json.key("rule")?;
        json.display(reject.rule())?;
        json.key("log")?;
        json.str(reject.rule().log())?;
        json.key("errno")?;
        json.display(reject.errno())?;
    }
    json.end_object()?;
    Ok(json.end()?)
}

/// Returns the difference between the prediction and the running kernel's
/// result, which is a bug in one of them.
pub(crate) fn difference(bytes: &[u8], errno: Option<i32>) -> Option<String> {
    let version = Kernel::running().release().ok()?.parse().ok()?;
    let predicted = probed(version).ok()?.verify(bytes);
    let predicted_errno = predicted.as_ref().err().map(|reject| reject.errno().raw());
    if predicted_errno == errno {
        return None;
    }
    let answer = errno.map_or_else(|| "accepts it".to_owned(), |errno| format!("rejects it with error number {errno}"));
    let predicted = predicted.map_or_else(|reject| format!("rejection: {reject}"), |()| "acceptance".to_owned());
    Some(format!("the kernel {answer}, and `btf verify` predicts {predicted}; please report this"))
}
