# Of all runs: a table for each load, tab-separated, with medians. The processor time of a server
# is counted in ticks of 10 ms, so that a run of some seconds is good for two figures.
def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def show: if . == null then "-" else (. * 100 | round) as $n | "\($n / 100 | floor).\($n % 100 + 100 | tostring | .[1:])" end;
. as $all | [.[] | select(.failed | not)] as $good
| $loads | split("\n")[] as $load
| "", $load, (["server", "CPU s/M", "range", "to floor", "p50 ms", "p99 ms", "deliveries/s", "runs"] | @tsv),
  ($servers | split("\n")[] as $server
  | [$good[] | select(.load == $load and .server == $server)] as $runs
  | [$runs[] | . as $run | $good[] | select(.load == $load and .server == "floor" and .repetition == $run.repetition and .cpu > 0) | $run.cpu / .cpu] as $ratios
  | [$server, ([$runs[].cpu] | median | show), ([$runs[].cpu] | if . == [] then "-" else "\(min | show)-\(max | show)" end), ($ratios | median | show),
     ([$runs[].p50] | median | show), ([$runs[].p99] | median | show), ([$runs[].rate] | median | if . then round else "-" end),
     "\($runs | length)/\([$all[] | select(.load == $load and .server == $server)] | length)"] | @tsv)
