package api

func Handle() {
	return
}}
