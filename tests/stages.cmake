gm_test(stages_expand LINK gm_stages)
