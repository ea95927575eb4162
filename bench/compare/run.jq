# Of a report of edgechat bench: the run as compare keeps it. Without a processor time there is no run.
{$repetition, $server, $load, cpu: .server.cpu_s_per_million, p50: (.latency.p50_us / 1000), p99: (.latency.p99_us / 1000), rate: .delivered_per_s}
| if (.cpu // 0) > 0 then . else . + {failed: true} end
