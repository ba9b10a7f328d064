//! A point-in-time join in a program of one's own: `join LABELS FACTS OUT [as-served]`.

use nearline_facts::{Extraction, MEMORY, Rules, usage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [labels, facts, output, rest @ ..] = args.as_slice() else {
        return Err("usage: join LABELS FACTS OUT [event-time|as-served]".into());
    };
    let order = rest.first().map(|order| order.parse()).transpose()?.unwrap_or_default();
    let job = Extraction {
        labels: vec![labels.into()],
        facts: vec![facts.into()],
        rules: Rules { order, ..Rules::default() },
        output: Some(output.into()),
        threads: 2,
        memory: MEMORY,
    };
    print!("{}", job.run()?.text());
    println!("{:.2} CPU s, {:.0} MiB", usage::cpu_s(), usage::peak_mib());
    Ok(())
}
