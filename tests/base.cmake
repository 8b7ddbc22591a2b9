gm_test(base_memory LINK gm_base)
gm_test(base_text LINK gm_base m)
gm_test(base_json LINK gm_base m)
gm_test(base_file LINK gm_base)
