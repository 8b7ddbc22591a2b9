gm_test(data_shared LINK gm_data LABELS needs-data)
