gm_test(record_tags LINK gm_record)
gm_test(record_image_path LINK gm_record)
gm_test(record_offsets LINK gm_record)
