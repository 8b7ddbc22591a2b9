gm_test(pipeline_recipe LINK gm_pipeline)
gm_test(pipeline_stream LINK gm_pipeline libgmner)
