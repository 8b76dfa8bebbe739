package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestVersionIsServed(t *testing.T) {
	answer := httptest.NewRecorder()
	routes().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/version", nil))
	if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), `"version":"dev"`) {
		t.Fatalf("got %d %s", answer.Code, answer.Body)
	}
}
