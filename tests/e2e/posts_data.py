"""Made-up posts with gold entities, coarse and fine, for tests of training."""
NAMES = ("Anna", "Bert", "Carla")
PLACES = ("Berlin", "Paris", "Rome")
FINE = {"Anna": "actor", "Bert": "politician", "Carla": "actor", "Berlin": "city", "Paris": "city", "Rome": "park"}


def conll(fine=False, per="PER", loc="LOC", n=60):
    posts = []
    for i in range(n):
        name, place = NAMES[i % 3], PLACES[i // 3 % 3]
        words = [(name, per), ("lives" if i % 2 else "visits", None), ("in", None), (place, loc), (".", None)]
        rows = []
        for word, kind in words:
            columns = [word, f"B-{kind}" if kind else "O"]
            if fine:
                columns.append(f"B-{FINE[word]}" if kind else "O")
            rows.append("\t".join(columns) + "\n")
        posts.append(f"IMGID:{i}\n" + "".join(rows) + "\n")
    return "".join(posts)
