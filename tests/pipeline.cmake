gm_test(pipeline_recipe LINK gm_pipeline)
gm_test(pipeline_stream LINK gm_pipeline libgmner)
gm_test(pipeline_state LINK gm_pipeline)
gm_e2e(runs)
