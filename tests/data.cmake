gm_test(data_tags LINK gm_data)
gm_test(data_conll LINK gm_data)
gm_test(data_shared LINK gm_data LABELS needs-data)
