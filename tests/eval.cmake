gm_test(eval_seqeval LINK gm_eval m)
gm_test(eval_binary LINK gm_eval m)
gm_test(eval_pairs LINK gm_eval)
gm_e2e(eval)
