-- For wrk: the bodies of a file, one a line, one a request; what came of them as one line of JSON.
--     wrk … -s serve_posts.lua URL -- FILE
local bodies, i = {}, 0
local number = 0

function setup(thread)
    thread:set("place", number)
    number = number + 1
end

function init(args)
    for line in io.lines(args[1]) do
        bodies[#bodies + 1] = line
    end
    i = math.floor(place * #bodies / 2)
end

function request()
    i = i % #bodies + 1
    return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, bodies[i])
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('{"requests": %d, "seconds": %f, "errors": %d, "p50_ms": %f, "p99_ms": %f, "max_ms": %f}\n',
        summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
