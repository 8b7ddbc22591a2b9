gm_test(record_tags LINK gm_record)
