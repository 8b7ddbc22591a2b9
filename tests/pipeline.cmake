gm_test(pipeline_recipe LINK gm_pipeline)
