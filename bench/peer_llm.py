"""The usual script around a chat-completions server: one request after the other, and after each
post the whole result file is written again. Usage: peer_llm.py URL POSTS OUT.json"""
import json
import sys
import time
import urllib.request

url, n, out = sys.argv[1] + "/chat/completions", int(sys.argv[2]), sys.argv[3]
posts = [{"id": str(i), "text": "Ann Lee in Rome for FIFA tonight, number %d of many" % i,
          "entities": [{"text": t, "type": k, "start": s, "end": s + len(t)} for t, k, s in
                       (("Ann Lee", "PER", 0), ("Rome", "LOC", 11), ("FIFA", "ORG", 20))]}
         for i in range(n)]
start, cpu = time.monotonic(), time.process_time()
for p in posts:
    lines = "\n".join("%d. %s (%s)" % (i + 1, e["text"], e["type"])
                      for i, e in enumerate(p["entities"]))
    body = {"model": "m", "messages": [{"role": "user", "content": p["text"] + "\n" + lines}]}
    req = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(req) as r:
        text = json.load(r)["choices"][0]["message"]["content"]
    for phrase in json.loads(text)["phrases"]:
        p["entities"][phrase["entity"] - 1]["expression"] = phrase["phrase"]
    with open(out, "w", encoding="utf-8") as f:
        json.dump(posts, f, indent=1)
wall = time.monotonic() - start
print(json.dumps({"posts": n, "wall_s": round(wall, 3), "ms_a_post": round(1000 * wall / n, 3),
                  "cpu_s": round(time.process_time() - cpu, 3)}))
